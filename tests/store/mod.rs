//! What the rest of the product relies on from storage, asked of both databases in the same words.
//!
//! No server runs here: the functions of `store` are called through `Db::read` and `Db::write`, as the use cases do.

mod constraints;
mod migrations;
mod plans;
mod races;
mod rows;
mod sweep;
mod transactions;

use std::time::Duration;

use countersign::clock::Timestamp;
use countersign::crypto::{Digest, Random};
use countersign::model::{
    ApplicationType, AuthMethod, Client, ClientAuthMethod, ClientKey, EmailAddress, GrantId, GrantType,
    RequestId, SessionId, SigningAlg, Status, UserId,
};
use countersign::store::authorization::{Code, Request};
use countersign::store::grants::{Grant, RefreshToken};
use countersign::store::sessions::Session;
use countersign::store::users::User;
use countersign::store::{self, Conn, DatabaseUrl, Db, Error};
use diesel::QueryableByName;
use diesel::connection::SimpleConnection;
use diesel::sql_types::Text;

use crate::support::{Database, START, TestDatabase};

pub const HOUR: Duration = Duration::from_secs(3_600);
pub const DAY: Duration = Duration::from_secs(86_400);

/// An open database with the schema and nothing else but signing keys.
pub struct Store {
    pub db: Db,
    pub random: Random,
    pub database: TestDatabase,
}

impl Store {
    pub async fn open(database: Database) -> Self {
        let database = TestDatabase::create(database).await;
        let url = DatabaseUrl::parse(&database.url).expect("an address");
        Self { db: Db::open(url, 8).expect("the database opens"), random: Random::system(), database }
    }

    #[track_caller]
    pub fn write<T: Send + 'static>(
        &self,
        f: impl FnMut(&mut Conn) -> Result<T, Error> + Send + 'static,
    ) -> impl Future<Output = T> {
        let caller = std::panic::Location::caller();
        let db = self.db.clone();
        async move { db.write(f).await.unwrap_or_else(|error| panic!("{caller}: {error}")) }
    }

    #[track_caller]
    pub fn read<T: Send + 'static>(
        &self,
        f: impl FnMut(&mut Conn) -> Result<T, Error> + Send + 'static,
    ) -> impl Future<Output = T> {
        let caller = std::panic::Location::caller();
        let db = self.db.clone();
        async move { db.read(f).await.unwrap_or_else(|error| panic!("{caller}: {error}")) }
    }

    /// Statements that no function of the store makes.
    pub async fn sql(&self, sql: impl Into<String>) -> Result<(), Error> {
        let sql = sql.into();
        self.db.write(move |db| Ok(db.batch_execute(&sql)?)).await
    }

    /// One column of text.
    pub async fn texts(&self, sql: impl Into<String>) -> Vec<String> {
        let sql = sql.into();
        self.read(move |db| texts(db, &sql)).await
    }

    pub async fn count(&self, from: &str) -> i64 {
        let counted = self.texts(format!("SELECT CAST(count(*) AS TEXT) AS text FROM {from}")).await;
        counted[0].parse().expect("a count is a number")
    }

    pub async fn user(&self, name: &str) -> UserId {
        let user = a_user(&self.random, name);
        let (id, email) = (user.id, address(name));
        self.write(move |db| {
            store::users::insert(db, &user)?;
            store::users::insert_email(db, id, &email, true, Some(START), START)
        })
        .await;
        id
    }

    pub async fn client(&self, client_id: &str) -> Client {
        let client = a_client(&self.random, client_id);
        let stored = client.clone();
        self.write(move |db| store::clients::insert(db, &stored, START)).await;
        client
    }

    pub async fn session(&self, user: UserId) -> Session {
        let session = a_session(&self.random, user);
        let stored = session.clone();
        self.write(move |db| store::sessions::insert(db, &stored, &[AuthMethod::Password])).await;
        session
    }

    pub async fn grant(&self, user: UserId, client: ClientKey, session: Option<SessionId>) -> Grant {
        let grant = a_grant(&self.random, user, client, session);
        let stored = grant.clone();
        self.write(move |db| store::grants::insert(db, &stored)).await;
        grant
    }

    /// A user, an application and a grant between them.
    pub async fn granted(&self) -> (UserId, Client, Grant) {
        let (user, client) = (self.user("ada").await, self.client("calendar").await);
        let grant = self.grant(user, client.key, None).await;
        (user, client, grant)
    }

    pub fn digest(&self) -> Digest {
        Digest::of(&self.random.bytes::<32>())
    }
}

pub fn texts(db: &mut Conn, sql: &str) -> Result<Vec<String>, Error> {
    use diesel::RunQueryDsl;
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = Text)]
        text: String,
    }
    let rows: Vec<Row> = match db {
        Conn::Postgres(conn) => diesel::sql_query(sql).load(conn)?,
        Conn::Sqlite(conn) => diesel::sql_query(sql).load(conn)?,
    };
    Ok(rows.into_iter().map(|row| row.text).collect())
}

pub fn address(name: &str) -> EmailAddress {
    EmailAddress::parse(&format!("{name}@Example.com")).expect("an address")
}

pub fn a_user(random: &Random, name: &str) -> User {
    User {
        id: UserId::new(START, random),
        username: Some(name.to_owned()),
        name: format!("{name} Łovelace 🦉"),
        locale: Some("de-AT".to_owned()),
        zoneinfo: None,
        status: Status::Active,
        instance_role: None,
        created_at: START,
        updated_at: START,
        last_sign_in_at: None,
    }
}

/// Every optional value is set and every list has two values, so that one that is lost or swapped shows.
pub fn a_client(random: &Random, client_id: &str) -> Client {
    let two = |one: &str, other: &str| vec![one.to_owned(), other.to_owned()];
    Client {
        key: ClientKey::new(START, random),
        client_id: client_id.to_owned(),
        name: format!("{client_id} & söhne"),
        status: Status::Active,
        application_type: ApplicationType::Web,
        auth_method: ClientAuthMethod::SecretBasic,
        secrets: Vec::new(),
        first_party: true,
        require_mfa: true,
        require_organization: true,
        pkce_required: false,
        require_par: true,
        redirect_uris: two("https://b.example.com/cb", "https://a.example.com/cb"),
        post_logout_redirect_uris: two("https://b.example.com/bye", "https://a.example.com/bye"),
        grant_types: vec![GrantType::RefreshToken, GrantType::AuthorizationCode],
        scopes: two("openid", "email"),
        contacts: two("z@example.com", "a@example.com"),
        audiences: two("https://z.example.com", "https://a.example.com"),
        default_acr_values: two("urn:countersign:acr:2fa", "urn:countersign:acr:1fa"),
        default_max_age: Some(300),
        require_auth_time: true,
        id_token_alg: SigningAlg::EdDsa,
        userinfo_alg: Some(SigningAlg::Es256),
        assertion_alg: Some(SigningAlg::Ps256),
        assertion_aud_token_endpoint: true,
        jwks: Some(r#"{"keys":[]}"#.to_owned()),
        jwks_uri: None,
        logo_uri: Some("https://a.example.com/logo".to_owned()),
        client_uri: Some("https://a.example.com/".to_owned()),
        policy_uri: Some("https://a.example.com/policy".to_owned()),
        tos_uri: Some("https://a.example.com/terms".to_owned()),
        initiate_login_uri: Some("https://a.example.com/login".to_owned()),
        created_at: START,
        places: Vec::new(),
    }
}

pub fn a_session(random: &Random, user: UserId) -> Session {
    Session {
        id: SessionId::new(START, random),
        user_id: user,
        secret_digest: Digest::of(&random.bytes::<32>()),
        created_at: START,
        auth_time: START,
        last_seen_at: START,
        expires_at: START.plus(DAY),
        idle_limit: i64::try_from(HOUR.as_micros()).expect("an hour is short"),
        ended_at: None,
        ip: Some("2001:db8::1".to_owned()),
        user_agent: Some("Mozilla/5.0".to_owned()),
    }
}

pub fn a_grant(random: &Random, user: UserId, client: ClientKey, session: Option<SessionId>) -> Grant {
    Grant {
        id: GrantId::new(START, random),
        user_id: user,
        client_id: client,
        session_id: session,
        offline: false,
        detail: r#"{"scope":"openid"}"#.to_owned(),
        auth_time: START,
        created_at: START,
        expires_at: START.plus(DAY),
        revoked_at: None,
        organisation_id: None,
    }
}

pub fn a_refresh_token(random: &Random, grant: GrantId) -> RefreshToken {
    RefreshToken {
        digest: Digest::of(&random.bytes::<32>()),
        grant_id: grant,
        created_at: START,
        expires_at: START.plus(HOUR),
        consumed_at: None,
        successor_digest: None,
        successor_sealed: None,
    }
}

pub fn a_code(random: &Random, grant: GrantId) -> Code {
    Code {
        digest: Digest::of(&random.bytes::<32>()),
        grant_id: grant,
        redirect_uri: "https://a.example.com/cb".to_owned(),
        code_challenge: Some("c".repeat(43)),
        created_at: START,
        expires_at: START.plus(Duration::from_secs(60)),
        redeemed_at: None,
    }
}

pub fn a_request(random: &Random, client: ClientKey) -> Request {
    Request {
        id: RequestId::new(START, random),
        client_id: client,
        browser_digest: Digest::of(&random.bytes::<32>()),
        request: r#"{"scope":"openid"}"#.to_owned(),
        pushed_digest: Some(Digest::of(b"pushed")),
        session_id: None,
        consented_at: None,
        created_at: START,
        expires_at: START.plus(HOUR),
        completed_at: None,
        organisation_id: None,
    }
}

/// Some time after the start.
pub fn later(seconds: u64) -> Timestamp {
    START.plus(Duration::from_secs(seconds))
}

/// How SQLite goes about a statement.
pub fn explain_sqlite(db: &mut Conn, sql: &str) -> Result<Vec<String>, Error> {
    use diesel::RunQueryDsl;
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = Text)]
        detail: String,
    }
    let Conn::Sqlite(conn) = db else { return Err(Error::Broken("not SQLite".into())) };
    let rows: Vec<Row> = diesel::sql_query(format!("EXPLAIN QUERY PLAN {sql}")).load(conn)?;
    Ok(rows.into_iter().map(|row| row.detail).collect())
}

/// How PostgreSQL goes about a statement.
pub fn explain_postgres(db: &mut Conn, sql: &str) -> Result<Vec<String>, Error> {
    use diesel::RunQueryDsl;
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = Text, column_name = "QUERY PLAN")]
        plan: String,
    }
    let Conn::Postgres(conn) = db else { return Err(Error::Broken("not PostgreSQL".into())) };
    let rows: Vec<Row> = diesel::sql_query(format!("EXPLAIN {sql}")).load(conn)?;
    Ok(rows.into_iter().map(|row| row.plan).collect())
}
