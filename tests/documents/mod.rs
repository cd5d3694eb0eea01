//! What the pages for people say is true: links lead somewhere, settings and metrics are all there, commands work.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use countersign::config;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The first cell of each table row that begins with a name in backticks, with the second.
fn rows(markdown: &str) -> Vec<(&str, &str)> {
    markdown
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once("` |"))
        .map(|(name, rest)| (name, rest.split(" | ").next().unwrap_or_default().trim()))
        .collect()
}

/// The lines of all `sh` blocks.
fn shell_lines(markdown: &str) -> Vec<&str> {
    markdown
        .split("```sh\n")
        .skip(1)
        .flat_map(|block| block.split("```").next().unwrap_or_default().lines())
        .filter(|line| !line.is_empty())
        .collect()
}

/// The targets of `[text](target)` that are files.
fn links(markdown: &str) -> Vec<&str> {
    markdown
        .split("](")
        .skip(1)
        .filter_map(|rest| rest.split_once(')'))
        .map(|(target, _)| target.split('#').next().unwrap_or_default())
        .filter(|target| !target.is_empty() && !target.contains("://"))
        .collect()
}

#[test]
fn links_lead_somewhere() {
    for page in ["README.md", "deploy/README.md", "keys/README.md", "CHANGELOG.md"] {
        let folder = root().join(page).parent().map(PathBuf::from).unwrap();
        for target in links(&read(page)) {
            assert!(folder.join(target).exists(), "{page}: there is no {target}");
        }
    }
}

#[test]
fn the_readme_prints_the_examples_that_are_tested() {
    let page = read("README.md");
    for (language, example) in
        [("js", "tests/clients/node/offline.mjs"), ("python", "tests/clients/python/offline.py")]
    {
        assert!(
            page.contains(&format!("```{language}\n{}```", read(example))),
            "{example} is not in the README"
        );
    }
}

#[test]
fn every_setting_is_in_the_table_with_its_default() {
    let page = read("deploy/README.md");
    let rows = rows(page.split("## Production").next().unwrap());
    let settings = config::load(None, std::iter::empty()).unwrap().settings();
    for (name, default) in &rows {
        assert!(
            settings
                .iter()
                .any(|setting| setting.key.strip_suffix(".count").unwrap_or(&setting.key) == *name),
            "{name} is no setting (default {default})"
        );
    }
    for setting in settings {
        let name = setting.key.trim_end_matches(".count").trim_end_matches(".per");
        let row = rows.iter().filter(|(row, _)| *row == name).collect::<Vec<_>>();
        assert_eq!(row.len(), 1, "{name} stands once in the table");
        let shown = row[0].1.trim_matches('`');
        if setting.value == "(not set)" {
            assert_eq!(shown, "", "{name} has no default");
        } else {
            assert!(same_value(shown, &setting.value), "{}: {shown} is not {}", setting.key, setting.value);
        }
    }
}

/// Durations may be written in another unit (`24h`, `1d`); one part of a limit stands for itself.
fn same_value(shown: &str, value: &str) -> bool {
    let parts: Vec<&str> =
        shown.split(|c: char| " {},=".contains(c)).map(|part| part.trim_matches('"')).collect();
    let length = |text: &str| config::duration::parse(text);
    shown.trim_matches('"') == value
        || parts.contains(&value)
        || parts.iter().any(|part| length(part).is_some() && length(part) == length(value))
}

#[test]
fn every_metric_is_told_of_and_alerts_name_no_other() {
    let source = read("src/metrics.rs");
    let code = source.split("#[cfg(test)]").next().unwrap();
    let mut metrics: Vec<&str> = code.split('"').filter(|text| text.starts_with("countersign_")).collect();
    metrics.sort_unstable();
    let page = read("deploy/README.md");
    let mut told: Vec<&str> = rows(&page).into_iter().map(|(name, _)| name).collect();
    told.retain(|name| name.starts_with("countersign_"));
    told.sort_unstable();
    assert_eq!(told, metrics);

    let alerts = read("deploy/monitoring/alerts.yaml");
    let names: Vec<&str> = alerts
        .split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
        .filter(|word| word.starts_with("countersign_"))
        .collect();
    assert!(names.len() > 5, "{names:?}");
    for name in names {
        assert!(metrics.contains(&name.trim_end_matches("_bucket")), "there is no metric {name}");
    }
}

#[test]
fn the_commands_of_the_readme_work_as_printed() {
    let folder = tempfile::tempdir().unwrap();
    let binary = Path::new(env!("CARGO_BIN_EXE_countersign"));
    let path = format!("{}:/usr/local/bin:/usr/bin:/bin", binary.parent().unwrap().display());
    let page = read("README.md");
    let commands: Vec<&str> =
        shell_lines(&page).into_iter().filter(|line| line.contains("countersign ")).collect();
    assert!(commands.len() > 5, "{commands:?}");
    for command in ["countersign init"].into_iter().chain(commands) {
        let done = Command::new("bash")
            .args(["-euo", "pipefail", "-c", command])
            .current_dir(&folder)
            .env_clear()
            .env("PATH", &path)
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&done.stderr);
        assert!(done.status.success(), "{command}\n{said}");
    }
}
