//! Token Status Lists (IETF draft-ietf-oauth-status-list): what a token says of its place, what a list says, and how
//! its bits are written.
//!
//! A list has one bit for each place: 1 is `INVALID`, 0 is `VALID` (§7.1). Signing and serving lists is left to
//! [`crate::status`], reading them to [`crate::verify`].

use std::io::Read;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use flate2::read::ZlibDecoder;
use serde::{Deserialize, Serialize};

/// The `typ` header of a list (§5.1). No other token has it (TK-4).
pub const STATUS_LIST_TYP: &str = "statuslist+jwt";

/// Places of one of our lists: all have the same, so that a list's length tells nothing.
pub const LIST_PLACES: usize = 1 << 20;

/// No list unpacks to more, whatever it says: 64 times ours (DEFLATE bombs).
const MAX_LIST_BYTES: u64 = 64 * (LIST_PLACES as u64) / 8;

/// The `status` claim of a token (§6.1).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusClaim {
    pub status_list: Reference,
}

/// Where a token's status stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reference {
    pub idx: u64,
    pub uri: String,
}

/// The claims of a list (§5.1).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListClaims {
    pub iss: String,
    /// The address of the list, as tokens name it.
    pub sub: String,
    pub iat: i64,
    pub exp: i64,
    /// Seconds that a copy may be kept before a new one is asked for.
    pub ttl: u64,
    pub status_list: EncodedList,
}

/// The bits, packed (§4.2).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EncodedList {
    pub bits: u8,
    pub lst: String,
}

/// Bits that can be looked at.
#[derive(Clone, PartialEq, Eq)]
pub struct Bits(Vec<u8>);

impl Bits {
    /// None is set.
    pub fn empty() -> Self {
        Self(vec![0; LIST_PLACES / 8])
    }

    /// Whether the bit is set; `None` if the list is too short to have it. The first place is the lowest bit of the
    /// first byte (§4.1).
    pub fn get(&self, index: u64) -> Option<bool> {
        let byte = self.0.get(usize::try_from(index / 8).ok()?)?;
        Some(byte >> (index % 8) & 1 == 1)
    }

    pub fn decode(list: &EncodedList) -> Option<Self> {
        // A list with more bits for each place has other words than valid and invalid, which we do not write.
        if list.bits != 1 {
            return None;
        }
        let packed = BASE64_URL_SAFE_NO_PAD.decode(&list.lst).ok()?;
        let mut bytes = Vec::new();
        let read =
            ZlibDecoder::new(packed.as_slice()).take(MAX_LIST_BYTES + 1).read_to_end(&mut bytes).ok()?;
        (u64::try_from(read).ok()? <= MAX_LIST_BYTES).then_some(Self(bytes))
    }
}

#[cfg(feature = "server")]
impl Bits {
    /// Sets the bit. `false` if it was set before, or is none of the list's.
    pub fn set(&mut self, index: usize) -> bool {
        let Some(byte) = self.0.get_mut(index / 8) else { return false };
        let bit = 1 << (index % 8);
        let new = *byte & bit == 0;
        *byte |= bit;
        new
    }

    pub fn count(&self) -> usize {
        self.0.iter().map(|byte| byte.count_ones() as usize).sum()
    }

    /// Packed: a list of zeros takes some 200 bytes, and each bit that is set about three more.
    pub fn encode(&self) -> EncodedList {
        use std::io::Write;
        let mut packer = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
        let packed = packer.write_all(&self.0).and_then(|()| packer.finish());
        let packed = packed.expect("memory can be written to");
        EncodedList { bits: 1, lst: BASE64_URL_SAFE_NO_PAD.encode(packed) }
    }
}

/// A place in all the lists together, as the database numbers it.
#[cfg(feature = "server")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place(pub i64);

#[cfg(feature = "server")]
impl Place {
    /// Any place of these lists.
    pub fn draw(first_list: usize, lists: usize, random: &crate::crypto::Random) -> Self {
        let places = (lists * LIST_PLACES) as u64;
        // The bias is below 2⁻³⁰.
        let drawn = u64::from_be_bytes(random.bytes()) % places + (first_list * LIST_PLACES) as u64;
        Self(i64::try_from(drawn).expect("there are not so many lists"))
    }

    /// The number of its list, from 0.
    pub fn list(self) -> usize {
        usize::try_from(self.0).unwrap_or(0) / LIST_PLACES
    }

    /// Where in its list.
    pub fn index(self) -> usize {
        usize::try_from(self.0).unwrap_or(0) % LIST_PLACES
    }

    /// What a token says of it.
    pub fn claim(self, issuer: &str) -> StatusClaim {
        let idx = self.index() as u64;
        StatusClaim { status_list: Reference { idx, uri: list_uri(issuer, self.list()) } }
    }

    /// The place that a token of ours names.
    pub fn of(claim: &StatusClaim, issuer: &str) -> Option<Self> {
        let Reference { idx, uri } = &claim.status_list;
        let list = match uri.strip_prefix(&list_uri(issuer, 0))? {
            "" => 0,
            below => below.strip_prefix('/')?.parse().ok()?,
        };
        let index = usize::try_from(*idx).ok().filter(|index| *index < LIST_PLACES)?;
        i64::try_from(LIST_PLACES.checked_mul(list)?.checked_add(index)?).ok().map(Self)
    }
}

/// Where a list is served: the first at `/revocations`, further ones below it.
#[cfg(feature = "server")]
pub fn list_uri(issuer: &str, list: usize) -> String {
    let first = format!("{}/revocations", issuer.trim_end_matches('/'));
    if list == 0 { first } else { format!("{first}/{list}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bits_of_the_draft_are_packed_as_it_shows() {
        // draft-ietf-oauth-status-list §4.1: statuses 1,0,0,1,1,1,0,1, 1,1,0,0,0,1,0,1 are the bytes B9 A3.
        let mut bits = Bits(vec![0; 2]);
        for index in [0, 3, 4, 5, 7, 8, 9, 13, 15] {
            assert!(bits.set(index));
        }
        assert_eq!(bits.0, [0xb9, 0xa3]);
        // §4.2 prints its packed form.
        let printed = EncodedList { bits: 1, lst: "eNrbuRgAAhcBXQ".to_owned() };
        assert_eq!(Bits::decode(&printed).map(|bits| bits.0), Some(vec![0xb9, 0xa3]));
        assert!(Bits::decode(&bits.encode()) == Some(bits));
    }

    #[test]
    fn every_bit_is_one_place() {
        let mut bits = Bits::empty();
        for index in [0, 7, 8, 1_000, LIST_PLACES - 1] {
            assert!(bits.set(index) && !bits.set(index));
        }
        assert!(!bits.set(LIST_PLACES));
        assert_eq!(bits.count(), 5);
        let list = Bits::decode(&bits.encode()).unwrap();
        for (index, set) in [(0, true), (1, false), (7, true), (8, true), (9, false), (1_000, true)] {
            assert_eq!(list.get(index), Some(set), "{index}");
        }
        assert_eq!(list.get(LIST_PLACES as u64), None);
        assert_eq!(list.get(u64::MAX), None);
    }

    #[test]
    fn a_list_is_small_however_many_places_it_has() {
        assert!(Bits::empty().encode().lst.len() < 250);
        let mut bits = Bits::empty();
        for number in 0..10_000_usize {
            bits.set(number.wrapping_mul(2_654_435_761) % LIST_PLACES);
        }
        let length = bits.encode().lst.len();
        assert!(length < 10_000 * 4, "{length}");
    }

    #[test]
    fn what_is_no_list_is_refused() {
        let bomb = {
            use std::io::Write;
            let mut packer = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
            packer.write_all(&vec![0; usize::try_from(MAX_LIST_BYTES).unwrap() + 1]).unwrap();
            BASE64_URL_SAFE_NO_PAD.encode(packer.finish().unwrap())
        };
        let good = Bits::empty().encode().lst;
        for (bits, lst) in
            [(2, good.as_str()), (0, &good), (1, "?"), (1, ""), (1, "AAAA"), (1, &good[..20]), (1, &bomb)]
        {
            assert!(Bits::decode(&EncodedList { bits, lst: lst.to_owned() }).is_none(), "{bits} {lst:.20}");
        }
    }

    #[test]
    fn a_place_is_found_again_from_what_its_token_says() {
        let issuer = "https://id.example.com/idp";
        let lists = LIST_PLACES as i64;
        for (place, uri, idx) in [
            (0, "https://id.example.com/idp/revocations", 0),
            (lists - 1, "https://id.example.com/idp/revocations", LIST_PLACES as u64 - 1),
            (3 * lists + 5, "https://id.example.com/idp/revocations/3", 5),
        ] {
            let claim = Place(place).claim(issuer);
            assert_eq!(claim.status_list, Reference { idx, uri: uri.to_owned() });
            assert_eq!(Place::of(&claim, issuer), Some(Place(place)));
        }
        for (uri, idx) in [
            ("https://evil.example/revocations", 0),
            ("https://id.example.com/idp/revocations/x", 0),
            ("https://id.example.com/idp/revocationsx", 0),
            ("https://id.example.com/idp/revocations", LIST_PLACES as u64),
            ("https://id.example.com/idp/revocations/18446744073709551615", 0),
        ] {
            let claim = StatusClaim { status_list: Reference { idx, uri: uri.to_owned() } };
            assert_eq!(Place::of(&claim, issuer), None, "{uri}");
        }
    }
}
