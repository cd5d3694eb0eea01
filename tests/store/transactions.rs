//! `Db::read` and `Db::write`: what is committed, what is undone, and what others notice of it.

use std::time::{Duration, Instant};

use countersign::model::Status;
use countersign::store::{Conn, Error, users};
use futures_util::future::join_all;

use super::{Store, a_user, later, texts};
use crate::on_both_databases;
use crate::support::Database;

/// An error of the test's own.
fn refused() -> Error {
    Error::Broken("changed its mind".into())
}

on_both_databases! {
    async fn an_error_undoes_all_that_came_before_it(database) {
        let store = Store::open(database).await;
        let user = a_user(&store.random, "ada");
        let answer = store.db.write(move |db| {
            users::insert(db, &user)?;
            users::set_password(db, user.id, "$", later(0))?;
            Err::<(), _>(refused())
        }).await;
        assert!(matches!(answer, Err(Error::Broken(_))));
        assert_eq!((store.count("users").await, store.count("password_credentials").await), (0, 0));
    }

    async fn cr_10_of_many_writes_the_failing_and_the_panicking_leave_the_others_alone(database) {
        let store = Store::open(database).await;
        let writes = (0..60).map(|number| {
            let user = a_user(&store.random, &format!("user{number}"));
            store.db.write(move |db| {
                users::insert(db, &user)?;
                match number % 6 {
                    3 => Err(refused()),
                    // Unique: it fails within the database.
                    4 => users::insert(db, &user),
                    5 => panic!("a defect in write {number}"),
                    _ => Ok(()),
                }
            })
        });
        let answers = join_all(writes).await;
        for (number, answer) in answers.iter().enumerate() {
            let expected = match number % 6 {
                3 | 5 => matches!(answer, Err(Error::Broken(_))),
                4 => matches!(answer, Err(Error::Taken(_))),
                _ => answer.is_ok(),
            };
            assert!(expected, "{number}: {answer:?}");
        }
        let mut names = store.texts("SELECT username AS text FROM users").await;
        let mut expected: Vec<String> = (0..60).filter(|number| number % 6 < 3).map(|number| format!("user{number}")).collect();
        names.sort();
        expected.sort();
        assert_eq!(names, expected);
    }

    async fn a_panicking_read_costs_nobody_else_a_connection(database) {
        let store = Store::open(database).await;
        for _ in 0..20 {
            let answer = store.db.read(|_| -> Result<(), Error> { panic!("a defect in a read") }).await;
            assert!(matches!(answer, Err(Error::Broken(_))), "{answer:?}");
        }
        let answers = join_all((0..20).map(|_| store.db.read(users::any_admin))).await;
        assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    }

    async fn a_read_sees_one_moment(database) {
        let store = Store::open(database).await;
        store.user("ada").await;
        let (began, begun) = std::sync::mpsc::channel();
        let (changed, goes_on) = std::sync::mpsc::channel();
        let reading = tokio::spawn({
            let db = store.db.clone();
            async move {
                db.read(move |db| {
                    let before = users::list(db, None, 10)?.len();
                    began.send(()).expect("somebody waits");
                    goes_on.recv_timeout(Duration::from_secs(2)).expect("the change is made");
                    Ok((before, users::list(db, None, 10)?.len()))
                }).await
            }
        });
        tokio::task::spawn_blocking(move || begun.recv_timeout(Duration::from_secs(2))).await.unwrap().expect("it reads");
        store.user("eve").await;
        changed.send(()).expect("it waits");
        assert_eq!(reading.await.unwrap().expect("it is read"), (1, 1));
        assert_eq!(store.read(|db| users::list(db, None, 10)).await.len(), 2, "what was committed is seen at once");
    }

    async fn a_read_changes_nothing(database) {
        let store = Store::open(database).await;
        let id = store.user("ada").await;
        let answer = store.db.read(move |db| users::set_status(db, id, Status::Disabled, later(1))).await;
        assert!(answer.is_err(), "{answer:?}");
        assert_eq!(store.read(move |db| users::find(db, id)).await.unwrap().status, Status::Active);
        // The same connections serve on.
        assert!(store.write(move |db| users::set_status(db, id, Status::Disabled, later(1))).await);
    }

    async fn cr_2_connections_are_set_up_for_durability(database) {
        let store = Store::open(database).await;
        let settings: &[(&str, &str)] = match database {
            Database::Sqlite => &[
                ("SELECT CAST(journal_mode AS TEXT) AS text FROM pragma_journal_mode", "wal"),
                ("SELECT CAST(synchronous AS TEXT) AS text FROM pragma_synchronous", "2"),
                ("SELECT CAST(foreign_keys AS TEXT) AS text FROM pragma_foreign_keys", "1"),
                ("SELECT CAST(timeout AS TEXT) AS text FROM pragma_busy_timeout", "5000"),
            ],
            Database::Postgres => &[
                ("SELECT current_setting('synchronous_commit') AS text", "on"),
                ("SELECT current_setting('statement_timeout') AS text", "5s"),
            ],
        };
        for (sql, expected) in settings {
            let written = store.write(move |db| texts(db, sql)).await;
            assert_eq!((written.as_slice(), store.texts(*sql).await.as_slice()), ([(*expected).to_owned()].as_slice(), [(*expected).to_owned()].as_slice()), "{sql}");
        }
    }

    async fn cr_3_nobody_waits_longer_than_three_seconds_for_a_busy_database(database) {
        let store = Store::open(database).await;
        // Every connection, and SQLite's writer, is held by a write that takes its time.
        let slow = |db: &mut Conn| {
            users::any_admin(db)?;
            std::thread::sleep(Duration::from_secs(4));
            Ok(())
        };
        let holding: Vec<_> = (0..8).map(|_| tokio::spawn({ let db = store.db.clone(); async move { db.write(slow).await } })).collect();
        tokio::time::sleep(Duration::from_millis(100)).await;
        let began = Instant::now();
        let waiting = (0..20).map(|_| store.db.write(users::any_admin));
        let answers = join_all(waiting).await;
        assert!(began.elapsed() < Duration::from_millis(3_000), "{:?}", began.elapsed());
        assert!(answers.iter().all(|answer| matches!(answer, Err(Error::Unavailable(_)))), "{answers:?}");
        holding.iter().for_each(tokio::task::JoinHandle::abort);
    }
}

/// CR-2: what PostgreSQL asks to be tried again is tried again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cr_2_a_deadlock_is_tried_again() {
    let store = Store::open(Database::Postgres).await;
    let (ada, eve) = (store.user("ada").await, store.user("eve").await);
    let cross = |first, second| {
        let db = store.db.clone();
        async move {
            db.write(move |db| {
                users::set_status(db, first, Status::Disabled, later(1))?;
                std::thread::sleep(Duration::from_millis(200));
                users::set_status(db, second, Status::Disabled, later(2))
            })
            .await
        }
    };
    let (one, other) = tokio::join!(cross(ada, eve), cross(eve, ada));
    assert!(matches!((&one, &other), (Ok(true), Ok(true))), "{one:?} {other:?}");
}
