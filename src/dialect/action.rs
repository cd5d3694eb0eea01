//! What an endpoint of a dialect can do: the closed set of actions, what each needs and what each can tell.
//!
//! They are the product's own use cases; [`super::run`] calls them. A file that names another action, leaves out what
//! one needs or asks for what none tells is refused at start-up.

/// The JSON type of what a name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Text,
    Integer,
    Boolean,
    TextList,
    /// A list whose elements a template walks through with `each`.
    Memberships,
}

macro_rules! actions {
    ($($(#[$doc:meta])* $variant:ident = $name:literal {
        needs: [$($(|)? [$($needed:literal),+])*], takes: [$($taken:literal),*], tells: [$($told:ident),*]
    })+) => {
        /// One use case.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Action { $($(#[$doc])* $variant,)+ }

        impl Action {
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            pub fn parse(text: &str) -> Option<Self> {
                match text { $($name => Some(Self::$variant),)+ _ => None }
            }

            /// Inputs that must be there: of each group, one at least.
            pub const fn needs(self) -> &'static [&'static [&'static str]] {
                match self { $(Self::$variant => &[$(&[$($needed),+]),*],)+ }
            }

            /// Inputs that may be there besides.
            pub const fn takes(self) -> &'static [&'static str] {
                match self { $(Self::$variant => &[$($taken),*],)+ }
            }

            /// What its answer may tell.
            const fn tells(self) -> &'static [&'static [(&'static str, Kind)]] {
                match self { $(Self::$variant => &[$($told),*],)+ }
            }
        }
    };
}

actions! {
    /// Signs in whoever knows the password.
    PasswordSignIn = "password.sign_in" {
        needs: [["login", "email"] ["password"]], takes: ["organisation", "workspace"],
        tells: [SUBJECT, SESSION, TOKENS]
    }
    /// Makes an account.
    Register = "register" {
        needs: [["email"] ["password"]], takes: ["name"],
        tells: [ADDRESS, SUBJECT, SESSION, TOKENS]
    }
    /// Says who is calling.
    Me = "me" {
        needs: [["token", "api_key"]], takes: ["organisation", "workspace", "user"],
        tells: [SUBJECT, SESSION, MACHINE]
    }
    /// Changes what people may change about themselves.
    UpdateMe = "me.update" {
        needs: [["token"]], takes: ["organisation", "workspace", "user", "name", "locale", "picture", "email"],
        tells: [SUBJECT, SESSION, MACHINE, ADDRESS]
    }
    /// Gives a new token for a live one.
    Refresh = "refresh" {
        needs: [["token", "refresh_token"]], takes: [], tells: [SUBJECT, SESSION, TOKENS]
    }
    /// Goes on in another of the caller's organisations or workspaces.
    Select = "organisation.select" {
        needs: [["token"] ["organisation", "workspace"]], takes: [], tells: [SUBJECT, SESSION, TOKENS]
    }
    /// Ends the session with all its tokens.
    SignOut = "sign_out" { needs: [["token", "refresh_token"]], takes: [], tells: [] }
    /// Sends a link to set a new password.
    ForgotPassword = "password.forgot" { needs: [["email"]], takes: ["redirect_url"], tells: [REQUEST] }
    /// Sets a new password behind such a link.
    ResetPassword = "password.reset" { needs: [["link"] ["new_password"]], takes: [], tells: [] }
    /// Sets a new password for who knows the present one.
    ChangePassword = "password.change" {
        needs: [["token"] ["current_password"] ["new_password"]], takes: ["user"], tells: []
    }
    /// Sends a link that signs in.
    RequestMagicLink = "magic_link.request" { needs: [["email"]], takes: ["redirect_url"], tells: [REQUEST] }
    /// Signs in whoever has the link.
    RedeemMagicLink = "magic_link.redeem" {
        needs: [["link"]], takes: ["organisation", "workspace"], tells: [SUBJECT, SESSION, TOKENS]
    }
    /// Signs in with an ID token that a provider made for us.
    IdToken = "upstream.id_token" {
        needs: [["provider"] ["credential"]], takes: ["nonce", "organisation", "workspace"],
        tells: [SUBJECT, SESSION, TOKENS, NOVELTY]
    }
    /// Signs in with an access token that a provider made for us.
    AccessToken = "upstream.access_token" {
        needs: [["provider"] ["credential"]], takes: ["organisation", "workspace"],
        tells: [SUBJECT, SESSION, TOKENS, NOVELTY]
    }
    /// Says where a browser begins to sign in through a provider.
    UpstreamStart = "upstream.start" { needs: [["redirect_url"]], takes: ["provider", "state"], tells: [LOCATION] }
    /// Gives tokens for the code with which that browser came back.
    UpstreamExchange = "upstream.exchange" {
        needs: [["code"] ["redirect_url"]], takes: [], tells: [SUBJECT, SESSION, TOKENS]
    }
    /// Says whether a request may pass, for a proxy that asks before it forwards.
    Check = "check" {
        needs: [["token", "api_key"]], takes: ["organisation", "workspace", "user", "role", "scope"],
        tells: [SUBJECT, SESSION, FRESH, MACHINE]
    }
    /// Sends a browser to the sign-in page.
    SignInPage = "page.sign_in" { needs: [], takes: [], tells: [LOCATION] }
    /// Sends a browser that follows a mailed link to the page that confirms it.
    MagicLinkPage = "page.magic_link" { needs: [["link"]], takes: [], tells: [LOCATION] }
}

/// Who is acting, and where.
pub const SUBJECT: &[(&str, Kind)] = &[
    ("user.id", Kind::Text),
    ("user.name", Kind::Text),
    ("user.email", Kind::Text),
    ("user.email_verified", Kind::Boolean),
    // The one that the account is called by, or the address of an account without.
    ("user.username", Kind::Text),
    ("user.locale", Kind::Text),
    ("user.picture", Kind::Text),
    ("user.created_at", Kind::Text),
    ("org.id", Kind::Text),
    ("org.slug", Kind::Text),
    ("org.name", Kind::Text),
    ("workspace.id", Kind::Text),
    ("workspace.slug", Kind::Text),
    ("workspace.name", Kind::Text),
    // In the dialect's words, the highest first.
    ("roles", Kind::TextList),
    ("role", Kind::Text),
    ("permissions", Kind::TextList),
    ("memberships", Kind::Memberships),
];

/// What one element of `memberships` has.
pub const MEMBERSHIP: &[(&str, Kind)] = &[
    ("item.org.id", Kind::Text),
    ("item.org.slug", Kind::Text),
    ("item.org.name", Kind::Text),
    ("item.workspace.id", Kind::Text),
    ("item.workspace.slug", Kind::Text),
    ("item.workspace.name", Kind::Text),
    ("item.roles", Kind::TextList),
    ("item.role", Kind::Text),
    ("item.active", Kind::Boolean),
];

pub const SESSION: &[(&str, Kind)] = &[("session.id", Kind::Text), ("issuer", Kind::Text)];

pub const TOKENS: &[(&str, Kind)] = &[
    ("tokens.access", Kind::Text),
    ("tokens.refresh", Kind::Text),
    // Seconds.
    ("tokens.expires_in", Kind::Integer),
    ("tokens.refresh_expires_in", Kind::Integer),
    // RFC 3339 in UTC with whole seconds, and the same as seconds since 1970.
    ("tokens.expires_at", Kind::Text),
    ("tokens.expires_at_unix", Kind::Integer),
];

/// A token for what stands behind a proxy.
pub const FRESH: &[(&str, Kind)] = &[
    ("tokens.access", Kind::Text),
    ("tokens.expires_in", Kind::Integer),
    ("tokens.expires_at", Kind::Text),
    ("tokens.expires_at_unix", Kind::Integer),
];

/// Of an API key. Null where a person calls.
const MACHINE: &[(&str, Kind)] =
    &[("machine.id", Kind::Text), ("machine.name", Kind::Text), ("scopes", Kind::TextList)];
const NOVELTY: &[(&str, Kind)] = &[("is_new", Kind::Boolean)];
const REQUEST: &[(&str, Kind)] = &[("request.id", Kind::Text)];
pub const ADDRESS: &[(&str, Kind)] = &[("email", Kind::Text)];
const LOCATION: &[(&str, Kind)] = &[("location", Kind::Text)];

/// What the words of an error may tell.
pub const ERROR: &[(&str, Kind)] = &[
    ("error", Kind::Text),
    ("code", Kind::Text),
    ("message", Kind::Text),
    ("detail", Kind::Text),
    ("status", Kind::Integer),
    ("retry_after", Kind::Integer),
];

/// What a message may tell.
pub const MESSAGE: &[(&str, Kind)] =
    &[("detail", Kind::Text), ("status", Kind::Integer), ("retry_after", Kind::Integer)];

impl Action {
    pub fn inputs(self) -> impl Iterator<Item = &'static str> {
        self.needs().iter().flat_map(|group| group.iter().copied()).chain(self.takes().iter().copied())
    }

    /// The names that its reply may use, with their types.
    pub fn names(self) -> impl Iterator<Item = (&'static str, Kind)> {
        self.tells().iter().flat_map(|names| names.iter().copied())
    }
}

/// The type of what `name` stands for, among `names`.
pub fn kind_of(name: &str, names: impl IntoIterator<Item = (&'static str, Kind)>) -> Option<Kind> {
    names.into_iter().find(|(known, _)| *known == name).map(|(_, kind)| kind)
}
