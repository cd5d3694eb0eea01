//! A full disk under SQLite.

use diesel::connection::SimpleConnection;
use diesel::{Connection, QueryableByName, RunQueryDsl, SqliteConnection};

use crate::support::{Database, Process, Settings, TestApp};

#[derive(QueryableByName)]
struct Finding {
    #[diesel(sql_type = diesel::sql_types::Text)]
    integrity_check: String,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cr_5_on_a_full_disk_writes_wait_and_reads_go_on() {
    let app = TestApp::start_with(Database::Sqlite, Settings::default().real_time()).await;
    app.user("ada").await;
    let client = app.client("calendar").await;
    let tokens = client.sign_in(&mut app.browser(), "ada", "openid offline_access").await;
    let port = url::Url::parse(&app.issuer).unwrap().port().unwrap();
    let (http, jwks) = (app.http.clone(), app.url("/.well-known/jwks.json"));
    let database = app.stop().await;
    let path = database.sqlite_path().expect("it is SQLite").to_owned();
    let size = std::fs::metadata(&path).expect("it exists").len();

    let (server, _) = Process::start(&database, port, &[("COUNTERSIGN__LOG__LEVEL", "warn")]).await;
    let flow = client.flow("openid");
    let parameters: Vec<(&str, &str)> =
        flow.parameters.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
    // Neither the file nor its log can grow any more, once they are as large as this.
    server.limit_files(&(size + 64 * 1024).to_string());
    let mut refused = None;
    for _ in 0..400 {
        let answer = client.call("/oauth2/par", &parameters).await;
        if answer.status != 201 {
            refused = Some(answer);
            break;
        }
    }
    let refused = refused.expect("the disk is full at some time");
    assert_eq!((refused.status, refused.header("retry-after").is_empty()), (503, false), "{}", refused.body);
    assert_eq!(client.call("/oauth2/revoke", &[("token", tokens.refresh_token())]).await.status, 503);
    assert_eq!(http.get(&jwks).send().await.unwrap().status(), 200);
    assert_eq!(client.introspect(&tokens.access_token).await["active"], true);
    assert_eq!(client.userinfo(&tokens.access_token).await.status, 200);

    // Room again: the same process goes on, and what it said it could not do was not done.
    server.limit_files("unlimited");
    assert_eq!(client.call("/oauth2/par", &parameters).await.status, 201);
    client.refresh(tokens.refresh_token()).await.expect_tokens();
    server.kill().await;
    let mut conn = SqliteConnection::establish(&path.display().to_string()).expect("it opens");
    conn.batch_execute("PRAGMA busy_timeout = 5000").expect("it answers");
    let found: Vec<Finding> =
        diesel::sql_query("PRAGMA integrity_check").load(&mut conn).expect("it is checked");
    assert_eq!(found.iter().map(|finding| finding.integrity_check.as_str()).collect::<Vec<_>>(), ["ok"]);
}
