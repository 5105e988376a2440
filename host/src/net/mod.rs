//! Connections to the world, shared by all watchers: one way to connect, with limits of time and size.
//!
//! Owns no data and knows no venue. Times here are the wall's.

/// Requests with a time limit and a size limit.
pub mod http;
/// How long the way to a venue takes.
pub mod round_trip;
/// WebSockets with limits.
pub mod socket;

/// Installs the TLS provider of the process. Safe to call again.
pub fn install_tls() {
    // An error says that one is installed already, which is what is wanted.
    let _ = rustls::crypto::ring::default_provider().install_default();
}
