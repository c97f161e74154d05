//! AUTH CRAM-MD5 (RFC 2195): the answer to a server's challenge. Pure.

use data_encoding::BASE64;

/// The bytes that MD5 works on at once.
const BLOCK: usize = 64;

/// The digest that answers a challenge.
pub type Digest = [u8; 16];

/// What the 334 reply asks, answered with the password; none where the reply holds no challenge.
pub fn answer(reply: &[u8], password: &str) -> Option<Digest> {
    let challenge = reply.get(4..)?.trim_ascii();
    let challenge = BASE64.decode(challenge).ok().filter(|challenge| !challenge.is_empty())?;
    Some(hmac(password.as_bytes(), &challenge))
}

/// The line that is sent.
pub fn line(user: &str, digest: Digest) -> String {
    format!("{}\r\n", BASE64.encode(format!("{user} {:x}", md5::Digest(digest)).as_bytes()))
}

/// HMAC (RFC 2104) over MD5.
fn hmac(key: &[u8], text: &[u8]) -> Digest {
    let mut block = [0; BLOCK];
    if key.len() > BLOCK {
        block[..16].copy_from_slice(&md5::compute(key).0);
    } else {
        block[..key.len()].copy_from_slice(key);
    }
    let inner = md5::compute([&block.map(|byte| byte ^ 0x36), text].concat());
    md5::compute([&block.map(|byte| byte ^ 0x5c)[..], &inner.0].concat()).0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_rfc_2195() {
        let reply = b"334 PDE4OTYuNjk3MTcwOTUyQHBvc3RvZmZpY2UucmVzdG9uLm1jaS5uZXQ+\r\n";
        let digest = answer(reply, "tanstaaftanstaaf").unwrap();
        assert_eq!(line("tim", digest), "dGltIGI5MTNhNjAyYzdlZGE3YTQ5NWI0ZTZlNzMzNGQzODkw\r\n");
    }

    #[test]
    fn the_examples_of_rfc_2202() {
        let hex = |key: &[u8], text: &[u8]| format!("{:x}", md5::Digest(hmac(key, text)));
        assert_eq!(hex(&[0x0b; 16], b"Hi There"), "9294727a3638bb1c13f48ef8158bfc9d");
        assert_eq!(hex(b"Jefe", b"what do ya want for nothing?"), "750c783e6ab0b503eaa86e310a5db738");
        let long = hex(&[0xaa; 80], b"Test Using Larger Than Block-Size Key - Hash Key First");
        assert_eq!(long, "6b1ab7fe4bd7bf8f0b62e6ce61b9d0cd");
    }

    #[test]
    fn what_is_no_challenge_is_not_answered() {
        for reply in ["334 \r\n", "334\r\n", "33", "334 no base 64\r\n"] {
            assert_eq!(answer(reply.as_bytes(), "secret"), None, "{reply:?}");
        }
    }
}
