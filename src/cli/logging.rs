//! The log: what is written is decided by `[log]`, and that writing never holds up a request is decided here.
//!
//! Records go to standard error through a bounded queue and a thread of their own. When whoever reads them stops
//! reading, records are dropped and counted, and the server goes on (LO-5).

use std::io::{self, IsTerminal, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, SyncSender, TrySendError};
use std::time::Duration;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

use crate::config::{Log, LogFormat};

/// Records that may wait to be written.
const WAITING: usize = 8_192;

/// How long the last records have to be written when the server stops.
const FAREWELL: Duration = Duration::from_millis(500);

/// Held while the server runs; dropping it writes what still waits.
pub struct LogGuard {
    lines: SyncSender<Message>,
}

enum Message {
    Record(Vec<u8>),
    /// Answered when everything before it has been written.
    Flush(SyncSender<()>),
}

/// Begins to log as configured.
pub fn start(settings: &Log) -> Result<LogGuard, String> {
    // What the HTTP server says of its workers is for its own authors; a setting that names it has the last word.
    let filter = EnvFilter::try_new(format!("actix_server=warn,{}", settings.level))
        .map_err(|error| format!("log.level is refused: {error}"))?;
    let (lines, receiver) = mpsc::sync_channel(WAITING);
    let (dropped, format) = (Arc::new(AtomicU64::new(0)), settings.format);
    let writer = Queue { lines: lines.clone(), dropped: Arc::clone(&dropped) };
    std::thread::Builder::new()
        .name("log".to_owned())
        .spawn(move || write_all(&receiver, &dropped, format, io::stderr()))
        .map_err(|error| format!("cannot start the log's thread: {error}"))?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(writer);
    let started = match format {
        LogFormat::Text => builder.with_ansi(io::stderr().is_terminal()).try_init(),
        LogFormat::Json => builder.json().flatten_event(true).with_span_list(false).try_init(),
    };
    started.map_err(|error| format!("cannot begin to log: {error}"))?;
    log_panics();
    Ok(LogGuard { lines })
}

impl Drop for LogGuard {
    fn drop(&mut self) {
        let (done, written) = mpsc::sync_channel(1);
        if self.lines.try_send(Message::Flush(done)).is_ok() {
            // Whether it was written in time changes nothing about stopping.
            let _ = written.recv_timeout(FAREWELL);
        }
    }
}

/// A panic's place goes to the log. Its message does not: it may quote what was being handled (LO-2).
fn log_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(place, "a thread panicked");
    }));
}

fn write_all(lines: &Receiver<Message>, dropped: &AtomicU64, format: LogFormat, mut to: impl Write) {
    while let Ok(message) = lines.recv() {
        // There is no other place to report that the log cannot be written.
        match message {
            Message::Record(record) => {
                let lost = dropped.swap(0, Ordering::Relaxed);
                if lost > 0 {
                    let _ = match format {
                        LogFormat::Text => writeln!(to, "WARN log records were lost count={lost}"),
                        LogFormat::Json => {
                            writeln!(
                                to,
                                r#"{{"level":"WARN","message":"log records were lost","count":{lost}}}"#
                            )
                        }
                    };
                }
                let _ = to.write_all(&record);
            }
            Message::Flush(done) => {
                let _ = to.flush();
                let _ = done.send(());
            }
        }
    }
}

/// The writing end of the queue.
#[derive(Clone)]
struct Queue {
    lines: SyncSender<Message>,
    dropped: Arc<AtomicU64>,
}

/// One record while it is put together.
struct Record {
    text: Vec<u8>,
    queue: Queue,
}

impl<'a> MakeWriter<'a> for Queue {
    type Writer = Record;

    fn make_writer(&'a self) -> Record {
        Record { text: Vec::new(), queue: self.clone() }
    }
}

impl Write for Record {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.text.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        let text = std::mem::take(&mut self.text);
        if text.is_empty() {
            return;
        }
        if let Err(TrySendError::Full(_)) = self.queue.lines.try_send(Message::Record(text)) {
            self.queue.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    #[test]
    fn lo_5_a_reader_that_stops_reading_holds_nobody_up() {
        let (lines, receiver) = mpsc::sync_channel(4);
        let queue = Queue { lines, dropped: Arc::default() };
        let began = Instant::now();
        for number in 0..10_000 {
            writeln!(queue.make_writer(), "record {number}").unwrap();
        }
        assert!(began.elapsed() < Duration::from_secs(1));
        assert_eq!(queue.dropped.load(Ordering::Relaxed), 9_996);
        let dropped = Arc::clone(&queue.dropped);
        drop(queue);
        let mut written = Vec::new();
        write_all(&receiver, &dropped, LogFormat::Json, &mut written);
        let written = String::from_utf8(written).unwrap();
        assert!(written.contains("\"count\":9996"), "{written}");
        assert!(written.contains("record 0\n") && written.contains("record 3\n"), "{written}");
    }
}
