//! Connections: accepted up to a bound, closed in good order.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use crate::supervise::Supervisor;

/// A client that has not sent its headers by then is gone or means harm.
const HEADERS_WITHIN: Duration = Duration::from_secs(10);
/// Connections at the same time; more wait in the kernel's queue.
const MAX_CONNECTIONS: usize = 512;
/// After a failed accept: usually no file descriptor is left, and trying again at once would spin.
const PAUSE: Duration = Duration::from_millis(100);

/// Why the daemon does not listen there.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// Everyone could read.
    #[error(
        "{0} can be reached from other machines and no token is configured; configure `http.token_file`, or \
         listen on 127.0.0.1"
    )]
    Open(SocketAddr),
}

/// Refuses to show costs to other machines without a token.
pub fn check_listen(listen: SocketAddr, has_token: bool) -> Result<(), ListenError> {
    if has_token || listen.ip().is_loopback() { Ok(()) } else { Err(ListenError::Open(listen)) }
}

/// Serves until the supervisor stops, then lets running requests end.
pub async fn serve(listener: Arc<TcpListener>, router: Router, supervisor: Supervisor) -> anyhow::Result<()> {
    let stopping = supervisor.stopping();
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let graceful = GracefulShutdown::new();
    loop {
        let place = Arc::clone(&places).acquire_owned().await?;
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stopping.cancelled() => break,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(error = %error, "a connection could not be accepted");
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        };
        let mut builder = auto::Builder::new(TokioExecutor::new()).http1_only();
        builder.http1().timer(TokioTimer::new()).header_read_timeout(HEADERS_WITHIN);
        let service = TowerToHyperService::new(router.clone());
        let connection = builder.serve_connection(TokioIo::new(stream), service).into_owned();
        let connection = graceful.watch(connection);
        supervisor.spawn_brief("connection", async move {
            // The other side broke off or sent no HTTP: its business, not ours.
            if let Err(error) = connection.await {
                tracing::debug!(error = %error, "a connection ended early");
            }
            drop(place);
        });
    }
    graceful.shutdown().await;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beyond_loopback_only_with_a_token() {
        for (address, has_token, allowed) in [
            ("127.0.0.1:8080", false, true),
            ("[::1]:8080", false, true),
            ("0.0.0.0:8080", false, false),
            ("[::]:8080", false, false),
            ("10.0.0.1:8080", false, false),
            ("0.0.0.0:8080", true, true),
        ] {
            let listen: SocketAddr = address.parse().unwrap();
            assert_eq!(check_listen(listen, has_token).is_ok(), allowed, "{address} {has_token}");
        }
    }
}
