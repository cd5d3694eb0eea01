//! An instance in a temporary folder for the tests of this layer, and a client that says exactly what it is told.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::app::{App, Opening};
use crate::clock::Clock;
use crate::config::Config;
use crate::crypto::Secret;

use super::server::{Listeners, serve};

/// An opened instance and its folder, which is removed with it.
pub struct Instance {
    pub app: Arc<App>,
    _folder: TempDir,
}

impl Instance {
    pub async fn open(issuer: &str) -> Self {
        Self::open_with(issuer, |_| {}).await
    }

    pub async fn open_with(issuer: &str, change: impl FnOnce(&mut Config)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut config = Config { issuer: issuer.parse().unwrap(), ..Config::default() };
        let file = folder.path().join("test.db");
        config.database.url = Secret::from_text(format!("sqlite:{}", file.display()));
        config.keys.dir = folder.path().join("keys");
        change(&mut config);
        let app = App::open(config, Clock::system(), Opening::Create).await.unwrap();
        Self { app: Arc::new(app), _folder: folder }
    }
}

/// A server on a port of its own.
pub struct Running {
    pub address: SocketAddr,
    pub instance: Instance,
    stop: oneshot::Sender<()>,
    server: JoinHandle<std::io::Result<()>>,
}

impl Running {
    /// With the issuer on the server's own port, below `path`.
    pub async fn start(path: &str, change: impl FnOnce(&mut Config)) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let instance = Instance::open_with(&format!("http://{address}{path}"), change).await;
        Self::serve(instance, listener, None)
    }

    pub fn serve(instance: Instance, listener: TcpListener, metrics: Option<TcpListener>) -> Self {
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let app = Arc::clone(&instance.app);
        let shutdown = async {
            stopped.await.unwrap();
        };
        let server = tokio::spawn(serve(app, Listeners { main: listener, metrics, console: None }, shutdown));
        Self { address, instance, stop, server }
    }

    /// Tells the server to stop, and gives its end.
    pub fn stop(self) -> JoinHandle<std::io::Result<()>> {
        self.stop.send(()).unwrap();
        self.server
    }

    /// Sends these bytes and reads until the server closes.
    pub async fn send(&self, bytes: impl Into<Vec<u8>>) -> String {
        exchange(self.address, bytes.into()).await
    }

    /// `GET` with further header lines, each with its end.
    pub async fn get(&self, path: &str, headers: &str) -> String {
        self.send(format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}\r\n")).await
    }
}

pub async fn exchange(address: SocketAddr, bytes: Vec<u8>) -> String {
    tokio::task::spawn_blocking(move || {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream.write_all(&bytes).unwrap();
        let mut answer = Vec::new();
        // A reset after the answer is an end too.
        drop(stream.read_to_end(&mut answer));
        String::from_utf8_lossy(&answer).into_owned()
    })
    .await
    .unwrap()
}
