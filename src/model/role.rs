//! The roles that every instance has, and the bounds of those that an organisation defines.

use super::{Permission, RoleId};

/// A role that the instance ships: good in every organisation, and never changed.
#[derive(Clone, Copy, Debug)]
pub struct Shipped {
    pub key: &'static str,
    pub name: &'static str,
    pub rank: i64,
    pub permissions: &'static [Permission],
    number: u8,
}

impl Shipped {
    /// The same on every instance.
    pub fn id(&self) -> RoleId {
        let mut bytes = [0; 16];
        // A UUID of version 7 from the beginning of time, which no other role can get.
        (bytes[6], bytes[8], bytes[15]) = (0x70, 0x80, self.number);
        RoleId::from_bytes(&bytes).expect("sixteen bytes are an id")
    }
}

/// Who has a role of this rank or above in a whole organisation, one that may say who its members are, administers it; one
/// such member must remain (OR-3).
pub const ADMINISTRATOR: i64 = 30;

/// The highest first.
pub const SHIPPED: [Shipped; 3] = [
    Shipped {
        key: "admin",
        name: "Administrator",
        rank: ADMINISTRATOR,
        permissions: Permission::ALL,
        number: 1,
    },
    Shipped {
        key: "manager",
        name: "Manager",
        rank: 20,
        permissions: &[Permission::OrganisationRead, Permission::MembersRead],
        number: 2,
    },
    Shipped {
        key: "member",
        name: "Member",
        rank: 10,
        permissions: &[Permission::OrganisationRead],
        number: 3,
    },
];

/// Roles that one member has in one organisation, or in one workspace.
pub const MAX_ROLES: usize = 3;

/// The highest rank that an organisation may give to a role of its own.
pub const MAX_RANK: i64 = 1_000;

/// Permissions of one role.
pub const MAX_PERMISSIONS: usize = 50;

/// Whether this can be a permission: as long and as plain as a scope, for both stand in tokens.
pub fn is_permission(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text
            .bytes()
            .all(|b| b.is_ascii_graphic() && !matches!(b, b'"' | b'\\' | b',' | b'<' | b'>' | b'&'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_roles_are_ranked_and_told_apart() {
        assert!(SHIPPED.is_sorted_by(|a, b| a.rank > b.rank && a.id() != b.id()));
        assert!(SHIPPED.iter().all(|role| role.id().to_string().parse() == Ok(role.id())));
    }

    #[test]
    fn what_may_be_a_permission() {
        for good in ["members:read", "a", "orders/*", "x.y-z_1"] {
            assert!(is_permission(good), "{good}");
        }
        for bad in ["", "a b", "a\"", "a\\", "é", "a,b", "a\n", &"a".repeat(65)] {
            assert!(!is_permission(bad), "{bad}");
        }
    }
}
