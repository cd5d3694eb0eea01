//! The dialects that come with the program.

/// One of them, as its file is.
#[derive(Clone, Copy, Debug)]
pub struct Shipped {
    pub name: &'static str,
    pub text: &'static str,
}

macro_rules! shipped {
    ($($name:literal),+) => {
        /// By name.
        pub const SHIPPED: &[Shipped] = &[$(Shipped {
            name: $name,
            text: include_str!(concat!("../../templates/dialects/", $name, ".toml")),
        }),+];
    };
}

shipped!("eden", "jack", "jardine", "orgstack", "tendedloop");

pub fn find(name: &str) -> Option<&'static Shipped> {
    SHIPPED.iter().find(|shipped| shipped.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_read_and_is_called_as_its_file() {
        for shipped in SHIPPED {
            let dialect = crate::dialect::read(shipped.name, shipped.text).unwrap_or_else(|e| panic!("{e}"));
            assert_eq!(dialect.name, shipped.name);
            assert!(!dialect.description.is_empty() && dialect.mount.is_some());
        }
    }
}
