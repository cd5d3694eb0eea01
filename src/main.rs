//! Arguments in, exit code out: everything else is in [`countersign::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    countersign::cli::run(std::env::args_os())
}
