//! `countersign init`: makes what a first start would make, without serving.

use serde_json::json;

use super::{Failure, Shell};
use crate::app::Opening;
use crate::store::signing_keys;
use crate::tenancy::links;

pub async fn run(shell: &Shell) -> Result<(), Failure> {
    let config = shell.load()?.config;
    let existed = config.database.sqlite_path().map(std::path::Path::exists);
    let database = config.database.label();
    let keys_dir = config.keys.dir.display().to_string();
    let own_file = config.keys.master_key.is_none();
    let had_key = config.keys.dir.join("master.key").exists();
    let app = shell.begin(config, Opening::Create).await?;
    let signing_keys = app.db.read(signing_keys::all).await?.len();
    let link = links::first_administrator(&app).await?;
    let link = link.map(|secret| app.config.issuer.at(&format!("/setup/{}", secret.expose())));

    let made = |existed: bool| if existed { "was there" } else { "made" };
    let mut facts = vec![
        ("Issuer", app.config.issuer.to_string()),
        ("Database", format!("{database} ({})", existed.map_or("schema is current", made))),
        (
            "Master key",
            if own_file { format!("{keys_dir} ({})", made(had_key)) } else { "as configured".to_owned() },
        ),
        ("Signing keys", signing_keys.to_string()),
    ];
    if let Some(link) = &link {
        facts.push(("First administrator", link.clone()));
    }
    let value = json!({
        "issuer": app.config.issuer.as_str(),
        "database": database,
        "signing_keys": signing_keys,
        "setup_link": link,
    });
    shell.out.facts(&facts, &value)?;
    if link.is_some() && !shell.out.json {
        shell.out.line(
            "\nThe link works once, while the server runs, and makes the first administrator.\n\
             Each start of the server prints a fresh one, which voids this one.",
        )?;
    }
    if own_file && !had_key && !shell.out.json {
        shell.out.line(
            "\nKeep a copy of the master key apart from the database's backups: one is nothing without the other.",
        )?;
    }
    Ok(())
}
