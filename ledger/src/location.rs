//! Where a ledger lives.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use sqlx::postgres::PgConnectOptions;

use crate::archive::ArchivePlace;

/// Where a ledger in a directory keeps its settled days, unless something else is said.
const ARCHIVE: &str = "archive";

/// A directory of its own with an embedded database, or a PostgreSQL database.
#[derive(Clone)]
pub struct Location {
    pub(crate) place: Place,
    /// Where settled days are, if it was said.
    archive: Option<ArchivePlace>,
}

#[derive(Clone)]
pub(crate) enum Place {
    Directory(PathBuf),
    Server(Box<PgConnectOptions>),
}

/// The text names no place a ledger can live in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LocationError {
    /// Neither of the two schemes. The text is not repeated: it may hold a password.
    #[error(
        "a ledger's location is sqlite:///directory or postgres://user@host/database, not a text that begins with `{0}`"
    )]
    Scheme(String),
    /// Relative paths depend on where the daemon was started.
    #[error("`sqlite://{0}` is not an absolute path; write three slashes: sqlite:///var/lib/defray")]
    Relative(String),
    /// The server's address cannot be read.
    #[error("the PostgreSQL address cannot be read: {0}")]
    Server(String),
}

impl Location {
    /// Reads `sqlite:///absolute/directory` or `postgres://…`.
    pub fn parse(text: &str) -> Result<Self, LocationError> {
        if let Some(path) = text.strip_prefix("sqlite://") {
            if !path.starts_with('/') {
                return Err(LocationError::Relative(path.to_owned()));
            }
            return Ok(Self::directory(path));
        }
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            return PgConnectOptions::from_str(text)
                .map(|options| Self { place: Place::Server(Box::new(options)), archive: None })
                .map_err(|error| LocationError::Server(error.to_string()));
        }
        let scheme: String = text.chars().take_while(|c| *c != ':' && *c != '/').take(16).collect();
        Err(LocationError::Scheme(scheme))
    }

    /// An embedded database in a directory of its own.
    pub fn directory(path: impl AsRef<Path>) -> Self {
        Self { place: Place::Directory(path.as_ref().to_owned()), archive: None }
    }

    /// The same ledger, whose settled days are there. Those of a directory are in its folder `archive`, unless
    /// something else is said.
    #[must_use]
    pub fn with_archive(mut self, archive: ArchivePlace) -> Self {
        self.archive = Some(archive);
        self
    }

    /// Where settled days are, if anywhere.
    pub fn archive(&self) -> Option<ArchivePlace> {
        match (&self.archive, &self.place) {
            (Some(archive), _) => Some(archive.clone()),
            (None, Place::Directory(path)) => Some(ArchivePlace::directory(path.join(ARCHIVE))),
            (None, Place::Server(_)) => None,
        }
    }

    /// Whether several processes may have it open at once.
    pub const fn is_shared(&self) -> bool {
        matches!(self.place, Place::Server(_))
    }
}

impl FromStr for Location {
    type Err = LocationError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

/// Without credentials.
impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Place::Directory(path) => write!(f, "sqlite://{}", path.display()),
            Place::Server(options) => write!(
                f,
                "postgres://{}:{}/{}",
                options.get_host(),
                options.get_port(),
                options.get_database().unwrap_or("")
            ),
        }
    }
}

impl fmt::Debug for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
