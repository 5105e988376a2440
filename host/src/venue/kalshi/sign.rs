//! Proof of identity for Kalshi's WebSocket handshake: RSA-PSS over time, method and path.
//!
//! Owns the key in memory. It never logs or sends it.

use ring::rand::SystemRandom;
use ring::signature::{RSA_PSS_SHA256, RsaKeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;

/// Why a key is of no use.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file is not a key.
    #[error("the Kalshi private key is not PEM; save it as Kalshi hands it out")]
    Pem(#[source] rustls::pki_types::pem::Error),
    /// Not an RSA key.
    #[error("the Kalshi private key is not an RSA key of 2048 bits or more: {0}")]
    NotRsa(String),
    /// The signature could not be made.
    #[error("the Kalshi handshake could not be signed; try again")]
    Sign,
}

/// A key that signs handshakes.
pub(super) struct Signer {
    key: RsaKeyPair,
}

impl Signer {
    /// Of a PEM text (PKCS #1 or PKCS #8).
    pub fn from_pem(pem: &str) -> Result<Self, KeyError> {
        let der = PrivateKeyDer::from_pem_slice(pem.as_bytes()).map_err(KeyError::Pem)?;
        let key = match &der {
            PrivateKeyDer::Pkcs1(der) => RsaKeyPair::from_der(der.secret_pkcs1_der()),
            PrivateKeyDer::Pkcs8(der) => RsaKeyPair::from_pkcs8(der.secret_pkcs8_der()),
            _ => return Err(KeyError::NotRsa("another kind of key".to_owned())),
        };
        let key = key.map_err(|e| KeyError::NotRsa(e.to_string()))?;
        Ok(Self { key })
    }

    /// The headers of a handshake at `ms` for `path`.
    pub fn headers(
        &self,
        key_id: &str,
        ms: u64,
        path: &str,
    ) -> Result<Vec<(&'static str, String)>, KeyError> {
        let text = format!("{ms}GET{path}");
        let mut signature = vec![0; self.key.public().modulus_len()];
        self.key
            .sign(
                &RSA_PSS_SHA256,
                &SystemRandom::new(),
                text.as_bytes(),
                &mut signature,
            )
            .map_err(|_| KeyError::Sign)?;
        Ok(vec![
            ("kalshi-access-key", key_id.to_owned()),
            ("kalshi-access-signature", base64(&signature)),
            ("kalshi-access-timestamp", ms.to_string()),
        ])
    }
}

/// Standard base64, padded.
fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let byte = |at: usize| u32::from(chunk.get(at).copied().unwrap_or(0));
        let word = byte(0) << 16 | byte(1) << 8 | byte(2);
        for at in 0..4 {
            let digit = (word >> (18 - 6 * at)) & 63;
            let is_padding = at > chunk.len();
            let symbol = ALPHABET.get(digit as usize).copied().unwrap_or(b'=');
            text.push(char::from(if is_padding { b'=' } else { symbol }));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_as_in_rfc_4648() {
        for (plain, coded) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(base64(plain.as_bytes()), coded);
        }
        assert_eq!(base64(&[0xfb, 0xff]), "+/8=");
    }

    #[test]
    fn what_is_no_key_is_refused_with_words() {
        assert!(matches!(Signer::from_pem("secret"), Err(KeyError::Pem(_))));
    }
}
