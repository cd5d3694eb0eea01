//! `countersign org brand`: how the sign-in pages of an organisation look.

use std::io::Read;
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;

use super::super::{Failure, Shell};
use super::{Which, known};
use crate::app::App;
use crate::audit::Origin;
use crate::store::branding as rows;
use crate::tenancy::actor::Actor;
use crate::tenancy::branding::{self, MAX_LOGO, Words};

/// Without any option it only shows. An empty text takes a value away.
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(flatten)]
    which: Which,
    /// A colour that can be read on white, such as '#146150'
    #[arg(long, value_name = "COLOUR")]
    accent: Option<String>,
    /// A short text below the form
    #[arg(long, value_name = "TEXT")]
    message: Option<String>,
    /// An address for help
    #[arg(long, value_name = "EMAIL")]
    support: Option<String>,
    /// A picture of at most 64 KiB: PNG, JPEG or WebP
    #[arg(long, value_name = "FILE", conflicts_with = "no_logo")]
    logo: Option<PathBuf>,
    /// Take the logo away
    #[arg(long)]
    no_logo: bool,
}

pub async fn run(shell: &Shell, app: &App, arguments: Arguments, origin: &Origin) -> Result<(), Failure> {
    let Arguments { which, accent, message, support, logo, no_logo } = arguments;
    let one = known(app, which.text()).await?;
    // First the picture: a file that is none leaves the rest as it is.
    if logo.is_some() || no_logo {
        let picture = logo.as_deref().map(read).transpose()?;
        branding::set_logo(app, Actor::Operator, one.id, picture, origin).await?;
    }
    let words = Words { accent, message, support };
    if words != Words::default() {
        branding::change(app, Actor::Operator, one.id, words, origin).await?;
    }
    let look = app.db.read(move |db| rows::find(db, one.id)).await?;
    let look = look.as_ref();
    let accent = look.and_then(|look| look.accent.clone());
    let message = look.map(|look| look.message.clone()).unwrap_or_default();
    let support = look.map(|look| look.support.clone()).unwrap_or_default();
    let logo = look.and_then(|look| look.logo_type.clone());
    let value = json!({
        "organization_id": one.id, "accent": accent, "message": message, "support": support, "logo": logo,
    });
    let facts = [
        ("organisation", one.slug),
        ("colour", accent.unwrap_or_else(|| "ours".to_owned())),
        ("text", message),
        ("help", support),
        ("logo", logo.unwrap_or_else(|| "none".to_owned())),
    ];
    shell.out.facts(&facts, &value)
}

/// A byte more than is allowed is read at most: then it is too large.
fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path);
    let read = file.and_then(|file| file.take(MAX_LOGO as u64 + 1).read_to_end(&mut bytes));
    read.map_err(|error| Failure::Failed(format!("cannot read {}: {error}", path.display())))?;
    Ok(bytes)
}
