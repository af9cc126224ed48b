//! Answers that are written rather than held.
//!
//! An answer is written twice: once into a digest, which is its entity tag and what a reader can verify
//! the download by, and, unless it was small enough to keep or the reader has it already, once more to the
//! reader, in chunks through a bounded channel. So memory holds a few chunks of the answer,
//! whatever its size, beside the month it is made from.

use std::io::{self, Write};
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_TYPE, ETAG, HeaderName, VARY,
};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures::Stream;
use sha2::{Digest as _, Sha256};
use tokio::sync::{OwnedSemaphorePermit, mpsc};

use super::{Error, State, caching};

/// Up to this size an answer is kept from the first pass.
const KEPT: usize = 256 * 1024;
/// The size of a chunk, and how many wait for the reader.
const CHUNK: usize = 64 * 1024;
const CHUNKS_WAITING: usize = 4;
/// How long an answer waits for others to be written before its reader is told to come back.
const PATIENCE: Duration = Duration::from_secs(10);
/// A reader that takes no chunk for so long has gone.
const STALLED: Duration = Duration::from_mins(1);

const REPR_DIGEST: HeaderName = HeaderName::from_static("repr-digest");

/// What is said about an answer.
#[derive(Debug)]
pub(super) struct Document {
    pub(super) content_type: &'static str,
    pub(super) disposition: Option<String>,
    pub(super) cache: &'static str,
}

/// The right to hold a month in memory and to write an answer from it. Taken before anything is read that
/// grows with the month, so that however many ask, no more than a few months are held.
#[derive(Debug)]
pub(super) struct Place {
    _permit: OwnedSemaphorePermit,
}

impl Place {
    /// Waits for it, but not for long.
    pub(super) async fn take(state: &State) -> Result<Self, Error> {
        let place = tokio::time::timeout(PATIENCE, Arc::clone(&state.0.writers).acquire_owned());
        Ok(Self { _permit: place.await.map_err(|_| Error::Busy)?.map_err(|_| Error::Busy)? })
    }
}

/// Answers with what `write` writes, which must be the same each time.
pub(super) async fn respond<F>(
    state: &State,
    place: Place,
    request: &HeaderMap,
    document: Document,
    write: F,
) -> Result<Response, Error>
where
    F: Fn(&mut dyn Write) -> Result<(), Error> + Send + Sync + 'static,
{
    let write = Arc::new(write);
    let first = Arc::clone(&write);
    let pass = state.supervisor.blocking("measure answer", move || {
        let mut pass = Pass::default();
        first(&mut pass).map(|()| pass)
    });
    let pass = pass.await.map_err(|ended| Error::Internal(ended.to_string()))??;
    let digest = pass.digest.finalize();
    let tag = format!("\"{}\"", hex::encode(digest));
    let mut headers = HeaderMap::new();
    headers.insert(ETAG, header(&tag)?);
    headers.insert(CACHE_CONTROL, HeaderValue::from_static(document.cache));
    headers.insert(VARY, HeaderValue::from_static("accept, authorization"));
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(document.content_type));
    if caching::has(request, &tag) {
        return Ok((StatusCode::NOT_MODIFIED, headers).into_response());
    }
    headers.insert(ACCEPT_RANGES, HeaderValue::from_static("none"));
    headers.insert(REPR_DIGEST, header(&format!("sha-256=:{}:", STANDARD.encode(digest)))?);
    if let Some(disposition) = document.disposition {
        headers.insert(CONTENT_DISPOSITION, header(&disposition)?);
    }
    if let Some(kept) = pass.kept {
        return Ok((headers, kept).into_response());
    }
    headers.insert(CONTENT_LENGTH, HeaderValue::from(pass.length));
    Ok((headers, Body::from_stream(written(state, write, place))).into_response())
}

/// What passes from the thread that writes to the reader.
enum Part {
    Chunk(Bytes),
    /// Nothing is missing. Without it the connection is broken off, so that half a file never looks whole.
    End,
}

/// Writes on a thread of its own while the reader reads.
fn written<F>(
    state: &State,
    write: Arc<F>,
    place: Place,
) -> impl Stream<Item = io::Result<Bytes>> + Send + use<F>
where
    F: Fn(&mut dyn Write) -> Result<(), Error> + Send + Sync + 'static,
{
    let (sender, made) = mpsc::channel(1);
    let (taken, receiver) = mpsc::channel(CHUNKS_WAITING);
    let supervisor = state.supervisor.clone();
    state.supervisor.spawn_brief("write answer", async move {
        let work = supervisor.blocking("write answer", move || stream(sender, write.as_ref()));
        let (ended, ()) = futures::join!(work, relay(made, taken));
        match ended {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::error!(error = %crate::chain::chain(&error), "an answer broke off"),
            Err(ended) => tracing::error!(error = %ended, "an answer broke off"),
        }
        drop(place);
    });
    futures::stream::unfold(Some(receiver), |receiver| async {
        let mut receiver = receiver?;
        match receiver.recv().await {
            Some(Part::Chunk(chunk)) => Some((Ok(chunk), Some(receiver))),
            Some(Part::End) => None,
            None => Some((Err(io::Error::other("the answer broke off")), None)),
        }
    })
}

/// Passes on what is made; a reader that takes nothing for too long is left, and so is the writing.
async fn relay(mut made: mpsc::Receiver<Part>, taken: mpsc::Sender<Part>) {
    while let Some(part) = made.recv().await {
        let handed = tokio::time::timeout(STALLED, taken.send(part)).await;
        if !matches!(handed, Ok(Ok(()))) {
            return;
        }
    }
}

fn header(text: &str) -> Result<HeaderValue, Error> {
    HeaderValue::from_str(text).map_err(|error| Error::Internal(error.to_string()))
}

/// Writes everything into the channel. A reader that left is no error.
fn stream<F>(sender: mpsc::Sender<Part>, write: &F) -> Result<(), Error>
where
    F: Fn(&mut dyn Write) -> Result<(), Error>,
{
    let mut chunks = Chunks { sender, waiting: Vec::with_capacity(CHUNK), left: false };
    let written = write(&mut chunks);
    if chunks.left {
        return Ok(());
    }
    written?;
    chunks.send().and_then(|()| chunks.hand_over(Part::End)).unwrap_or_default();
    Ok(())
}

/// The first pass.
#[derive(Debug)]
struct Pass {
    digest: Sha256,
    length: u64,
    kept: Option<Vec<u8>>,
}

impl Default for Pass {
    fn default() -> Self {
        Self { digest: Sha256::new(), length: 0, kept: Some(Vec::new()) }
    }
}

impl Write for Pass {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.digest.update(bytes);
        let length = u64::try_from(bytes.len()).map_err(io::Error::other)?;
        self.length = self.length.saturating_add(length);
        match &mut self.kept {
            Some(kept) if kept.len().saturating_add(bytes.len()) <= KEPT => kept.extend_from_slice(bytes),
            _ => self.kept = None,
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The second pass.
struct Chunks {
    sender: mpsc::Sender<Part>,
    waiting: Vec<u8>,
    left: bool,
}

impl Chunks {
    fn send(&mut self) -> io::Result<()> {
        if self.waiting.is_empty() {
            return Ok(());
        }
        let full = std::mem::replace(&mut self.waiting, Vec::with_capacity(CHUNK));
        self.hand_over(Part::Chunk(Bytes::from(full)))
    }

    fn hand_over(&mut self, part: Part) -> io::Result<()> {
        self.sender.blocking_send(part).map_err(|_| {
            self.left = true;
            io::Error::new(io::ErrorKind::BrokenPipe, "the reader left")
        })
    }
}

impl Write for Chunks {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.waiting.extend_from_slice(bytes);
        if self.waiting.len() >= CHUNK {
            self.send()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.send()
    }
}
