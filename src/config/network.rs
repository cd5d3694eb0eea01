//! Networks that proxies sit in: one address, or an address with a prefix length.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// `10.0.0.0/8`, `192.0.2.7`, `fd00::/8`. IPv4 written inside IPv6 (`::ffff:10.0.0.1`) is IPv4.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    prefix: u8,
}

/// Why a text is not taken as a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadNetwork {
    /// Neither address nor network.
    #[error("is not an IP address or network; write it like `10.0.0.7`, `10.0.0.0/8` or `fd00::/8`")]
    Unreadable,
    /// Such as `10.0.0.1/8`.
    #[error("has address bits set behind the prefix; write the first address of the network")]
    HostBits,
}

impl Network {
    /// Whether `address` lies in this network.
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(network), IpAddr::V4(address)) => {
                masked_v4(address.to_bits(), self.prefix) == network.to_bits()
            }
            (IpAddr::V6(network), IpAddr::V6(address)) => {
                masked_v6(address.to_bits(), self.prefix) == network.to_bits()
            }
            _ => false,
        }
    }

    /// Whether the network is wider than any that one operator runs (10.0.0.0/8 and fc00::/7 are the widest
    /// private ones): trusting it means to trust strangers.
    pub fn is_too_wide(&self) -> bool {
        self.prefix < if self.address.is_ipv4() { 8 } else { 7 }
    }
}

fn masked_v4(bits: u32, prefix: u8) -> u32 {
    bits & u32::MAX.checked_shl(32 - u32::from(prefix)).unwrap_or(0)
}

fn masked_v6(bits: u128, prefix: u8) -> u128 {
    bits & u128::MAX.checked_shl(128 - u32::from(prefix)).unwrap_or(0)
}

impl FromStr for Network {
    type Err = BadNetwork;

    fn from_str(text: &str) -> Result<Self, BadNetwork> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let written: IpAddr = address.parse().map_err(|_| BadNetwork::Unreadable)?;
        let widest: u8 = if written.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            None => widest,
            Some(digits) if digits.len() <= 3 && digits.bytes().all(|b| b.is_ascii_digit()) => {
                digits.parse().ok().filter(|prefix| *prefix <= widest).ok_or(BadNetwork::Unreadable)?
            }
            Some(_) => return Err(BadNetwork::Unreadable),
        };
        // An IPv4-mapped network names IPv4 only if its prefix covers the whole mapping.
        let (address, prefix) = match (written.to_canonical(), written) {
            (IpAddr::V4(inner), IpAddr::V6(_)) if prefix >= 96 => (IpAddr::V4(inner), prefix - 96),
            _ => (written, prefix),
        };
        let first = match address {
            IpAddr::V4(a) => masked_v4(a.to_bits(), prefix) == a.to_bits(),
            IpAddr::V6(a) => masked_v6(a.to_bits(), prefix) == a.to_bits(),
        };
        if first { Ok(Self { address, prefix }) } else { Err(BadNetwork::HostBits) }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

impl<'de> Deserialize<'de> for Network {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(|e| D::Error::custom(format_args!("`{text}` {e}")))
    }
}

impl Serialize for Network {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_contain_what_they_should() {
        let cases = [
            ("10.0.0.0/8", "10.255.0.1", true),
            ("10.0.0.0/8", "11.0.0.1", false),
            ("192.0.2.7", "192.0.2.7", true),
            ("192.0.2.7", "192.0.2.8", false),
            ("192.0.2.7", "::ffff:192.0.2.7", true),
            ("::ffff:10.0.0.0/104", "10.1.2.3", true),
            ("fd00::/8", "fdff::1", true),
            ("fd00::/8", "fe80::1", false),
            ("::1", "::1", true),
            ("0.0.0.0/0", "203.0.113.9", true),
            ("::/0", "2001:db8::1", true),
            ("::/0", "203.0.113.9", false),
        ];
        for (network, address, inside) in cases {
            let network: Network = network.parse().unwrap();
            assert_eq!(network.contains(address.parse().unwrap()), inside, "{network} {address}");
        }
    }

    #[test]
    fn unreadable_networks_are_refused() {
        for text in
            ["", "10", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/+8", "::/129", "::/256", "proxy.example", "*"]
        {
            assert_eq!(text.parse::<Network>(), Err(BadNetwork::Unreadable), "{text:?}");
        }
        for text in ["10.0.0.1/8", "fd00::1/8"] {
            assert_eq!(text.parse::<Network>(), Err(BadNetwork::HostBits), "{text:?}");
        }
    }

    #[test]
    fn bu_5_strangers_networks_are_too_wide() {
        for (text, wide) in [
            ("0.0.0.0/0", true),
            ("128.0.0.0/1", true),
            ("::/0", true),
            ("2000::/3", true),
            ("::ffff:0.0.0.0/96", true),
            ("10.0.0.0/8", false),
            ("fc00::/7", false),
            ("::1", false),
        ] {
            assert_eq!(text.parse::<Network>().unwrap().is_too_wide(), wide, "{text}");
        }
    }
}
