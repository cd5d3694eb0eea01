//! Paths of endpoints: words, and places that a call fills (`/organisations/{slug}/login`).

use std::cmp::Ordering;

use percent_encoding::percent_decode_str;

use crate::config::dialect::check_path;

/// The path of an endpoint, below the place of its API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route(Vec<Part>);

/// What stands between two slashes.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Word(String),
    /// Whatever the call has there; inputs call it `path.NAME`.
    Place(String),
}

impl Route {
    /// Words as in any address, and places: a name in braces, which is all that stands between two slashes.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut parts = Vec::new();
        for part in text.strip_prefix('/').ok_or("must begin with `/`")?.split('/') {
            parts.push(match part.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) {
                Some(name) if is_name(name) => Part::Place(name.to_owned()),
                Some(_) => return Err(format!("has a place `{part}`: write it like `{{id}}`")),
                None => Part::Word(part.to_owned()),
            });
        }
        let route = Self(parts);
        check_path(&route.with_places(|_| "x".to_owned()))?;
        let mut names: Vec<&str> = route.places().collect();
        names.sort_unstable();
        if let Some(pair) = names.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(format!("has the place `{{{}}}` twice", pair[0]));
        }
        Ok(route)
    }

    /// As the file has it, and as OpenAPI writes it.
    pub fn text(&self) -> String {
        self.with_places(|name| format!("{{{name}}}"))
    }

    pub fn places(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|part| match part {
            Part::Place(name) => Some(name.as_str()),
            Part::Word(_) => None,
        })
    }

    /// Whether the two differ in the names of their places at most, so that a call is of both.
    pub fn is_alike(&self, other: &Self) -> bool {
        self.with_places(|_| "{}".to_owned()) == other.with_places(|_| "{}".to_owned())
    }

    /// What the call has at each place; `None` where the path is another.
    pub fn read(&self, path: &str) -> Option<Vec<(&str, String)>> {
        let mut parts = path.strip_prefix('/')?.split('/');
        let mut found = Vec::new();
        for part in &self.0 {
            let said = percent_decode_str(parts.next()?).decode_utf8().ok()?;
            match part {
                Part::Word(word) if *word == said => {}
                Part::Place(name) if !said.is_empty() => found.push((name.as_str(), said.into_owned())),
                _ => return None,
            }
        }
        parts.next().is_none().then_some(found)
    }

    /// Of two that a call is of, the one with the earlier word comes first: `/users/me` before `/users/{id}`.
    pub fn by_precision(&self, other: &Self) -> Ordering {
        let rank = |route: &Self| -> Vec<bool> {
            route.0.iter().map(|part| matches!(part, Part::Place(_))).collect()
        };
        rank(self).cmp(&rank(other))
    }

    fn with_places(&self, place: impl Fn(&str) -> String) -> String {
        let parts = self.0.iter().map(|part| match part {
            Part::Word(word) => format!("/{word}"),
            Part::Place(name) => format!("/{}", place(name)),
        });
        parts.collect()
    }
}

fn is_name(text: &str) -> bool {
    (1..=40).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_places_are_told_apart() {
        for (text, places) in [
            ("/login", &[][..]),
            ("/users/{id}", &["id"]),
            ("/{provider}/start", &["provider"]),
            ("/orgs/{org}/teams/{team_id}", &["org", "team_id"]),
        ] {
            let route = Route::parse(text).expect(text);
            assert_eq!((route.places().collect::<Vec<_>>(), route.text().as_str()), (places.to_vec(), text));
        }
        for bad in [
            "users",
            "/",
            "/users/",
            "/users/{}",
            "/users/{a b}",
            "/users/{a-b}",
            "/users/x{id}",
            "/users/{id}x",
            "/users/{id",
            "/users/id}",
            "/{a}/{a}",
            "/users/{id}/..",
            "/{{id}}",
        ] {
            assert!(Route::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_place_takes_one_part_of_the_path_and_decodes_it_once() {
        let route = Route::parse("/users/{id}/mails/{mail}").unwrap();
        for (path, expected) in [
            ("/users/7/mails/a", Some(vec!["7", "a"])),
            ("/users/a%2Fb/mails/z%C3%B6e", Some(vec!["a/b", "zöe"])),
            ("/users/%2541/mails/+", Some(vec!["%41", "+"])),
            ("/%75sers/7/mails/a", Some(vec!["7", "a"])),
            ("/users//mails/a", None),
            ("/users/7/mails", None),
            ("/users/7/mails/a/", None),
            ("/users/7/mails/a/b", None),
            ("/users/7/mail/a", None),
            ("/users/%ff/mails/a", None),
            ("users/7/mails/a", None),
            ("", None),
        ] {
            let found = route.read(path).map(|found| found.into_iter().map(|(_, value)| value).collect());
            assert_eq!(
                found,
                expected.map(|all| all.into_iter().map(str::to_owned).collect::<Vec<_>>()),
                "{path}"
            );
        }
    }

    #[test]
    fn a_word_comes_before_a_place() {
        let route = |text| Route::parse(text).unwrap();
        assert_eq!(route("/users/me").by_precision(&route("/users/{id}")), Ordering::Less);
        assert_eq!(route("/{a}/me").by_precision(&route("/users/{id}")), Ordering::Greater);
        assert!(route("/users/{id}").is_alike(&route("/users/{name}")));
        assert!(!route("/users/{id}").is_alike(&route("/users/me")));
    }

    proptest::proptest! {
        #[test]
        fn no_path_panics(text in "(/[a-z{}%0-9]{0,6}){0,4}", path in "\\PC{0,30}") {
            if let Ok(route) = Route::parse(&text) {
                let _ = route.read(&path);
                proptest::prop_assert_eq!(Route::parse(&route.text()), Ok(route));
            }
        }
    }
}
