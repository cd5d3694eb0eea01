//! `countersign check`: the configuration as a whole, offline (BU-5).

use clap::Args;
use serde_json::json;

use super::{Failure, Shell, dialect};

#[derive(Debug, Args)]
pub struct Arguments {
    /// List every setting in force and where it comes from
    #[arg(long)]
    all: bool,
}

pub fn run(shell: &Shell, arguments: &Arguments) -> Result<(), Failure> {
    let loaded = match shell.load() {
        Ok(loaded) => loaded,
        Err(problems) if shell.out.json => {
            let problems: Vec<_> = problems
                .0
                .iter()
                .map(|one| json!({ "key": one.key, "source": one.source.to_string(), "reason": one.reason }))
                .collect();
            shell.out.value(&json!({ "ok": false, "problems": problems }))?;
            return Err(Failure::Told);
        }
        Err(problems) => return Err(problems.into()),
    };
    if let Err(problems) = dialect::problems(&loaded.config) {
        if !shell.out.json {
            return Err(problems.into());
        }
        let problems: Vec<_> = problems
            .0
            .iter()
            .map(|one| json!({ "key": "dialects", "source": one.source, "reason": one.to_string() }))
            .collect();
        shell.out.value(&json!({ "ok": false, "problems": problems }))?;
        return Err(Failure::Told);
    }
    let settings = loaded.settings();
    if shell.out.json {
        let settings: Vec<_> = settings
            .iter()
            .map(|one| json!({ "key": one.key, "value": one.value, "source": one.source.to_string() }))
            .collect();
        return shell.out.value(&json!({ "ok": true, "settings": settings }));
    }
    if arguments.all {
        let rows: Vec<[String; 3]> =
            settings.into_iter().map(|one| [one.key, one.value, one.source.to_string()]).collect();
        shell.out.list(&rows, &["SETTING", "VALUE", "FROM"], |row| row.to_vec())?;
        return shell.out.line("\nThe configuration is good.");
    }
    shell.out.line("The configuration is good.")
}
