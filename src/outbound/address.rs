//! Which addresses the server may connect to (SS-1).
//!
//! What is not known to be public is refused: a range that is missing here is closed, not open.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What stands behind an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A host on the Internet.
    Public,
    /// This machine or a network of the operator's: only where the configuration allows it.
    Private,
    /// Never a server that answers us: link-local, metadata of a cloud, multicast, reserved, documentation.
    Forbidden,
}

/// Where clouds answer with credentials of the machine. Those in 169.254.0.0/16 are forbidden as link-local.
const METADATA: [IpAddr; 5] = [
    IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200)),
    IpAddr::V4(Ipv4Addr::new(168, 63, 129, 16)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)),
    IpAddr::V6(Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xc1, 0, 0, 0, 0, 0xa9fe, 0xa9fe)),
];

impl Kind {
    /// The kind of an address, by the registries of special addresses (RFC 6890).
    pub(super) fn of(address: IpAddr) -> Self {
        if METADATA.contains(&address) {
            return Self::Forbidden;
        }
        match address {
            IpAddr::V4(v4) => Self::of_v4(v4),
            IpAddr::V6(v6) => match embedded(v6) {
                // By way of a translator, not as such: no public name needs one, but the operator's network may.
                Some(v4) if Self::of(v4.into()) == Self::Forbidden => Self::Forbidden,
                Some(_) => Self::Private,
                None => Self::of_v6(v6),
            },
        }
    }

    fn of_v4(v4: Ipv4Addr) -> Self {
        match v4.octets() {
            // RFC 1918, loopback, and the space that carriers share (RFC 6598).
            [10 | 127, ..] | [172, 16..=31, ..] | [192, 168, ..] | [100, 64..=127, ..] => Self::Private,
            // "This network", link-local, protocol assignments, 6to4 relays, benchmarks, documentation.
            [0, ..] | [169, 254, ..] | [192, 0, 0 | 2, _] | [192, 88, 99, _] | [198, 18 | 19, ..] => {
                Self::Forbidden
            }
            [198, 51, 100, _] | [203, 0, 113, _] => Self::Forbidden,
            // Multicast, reserved, broadcast.
            [224..=255, ..] => Self::Forbidden,
            _ => Self::Public,
        }
    }

    fn of_v6(v6: Ipv6Addr) -> Self {
        match v6.segments() {
            [0, 0, 0, 0, 0, 0, 0, 1] | [0xfc00..=0xfdff, ..] => Self::Private,
            // Protocol assignments with Teredo and ORCHID (RFC 2928), and documentation (RFC 3849, RFC 9637).
            [0x2001, 0..=0x1ff, ..] | [0x2001, 0xdb8, ..] | [0x3fff, 0..=0xfff, ..] => Self::Forbidden,
            // Global unicast is this eighth alone (RFC 4291 §2.4).
            [0x2000..=0x3fff, ..] => Self::Public,
            _ => Self::Forbidden,
        }
    }
}

/// The IPv4 address that an IPv6 address leads to: mapped, compatible, NAT64 (RFC 6052), 6to4 (RFC 3056).
fn embedded(v6: Ipv6Addr) -> Option<Ipv4Addr> {
    let v4 = |high: u16, low: u16| Ipv4Addr::from(u32::from(high) << 16 | u32::from(low));
    match v6.segments() {
        [0, 0, 0, 0, 0, 0, 0, 0 | 1] => None,
        [0, 0, 0, 0, 0, 0 | 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => Some(v4(high, low)),
        [0x2002, high, low, ..] => Some(v4(high, low)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ss_1_every_address_has_its_kind() {
        use Kind::*;
        let cases = [
            (
                Public,
                "8.8.8.8 1.1.1.1 172.15.0.1 172.32.0.1 100.63.255.255 100.128.0.1 192.0.1.1 198.17.0.1 223.255.255.255",
            ),
            (Public, "2606:4700:4700::1111 2001:4860:4860::8888 2001:200::1 2a00:1450::1"),
            (
                Private,
                "127.0.0.1 127.255.255.254 10.0.0.1 172.16.0.1 172.31.255.255 192.168.1.1 100.64.0.1 100.127.9.9",
            ),
            (Private, "::1 fc00::1 fd12:3456::1 fdff:ffff::1"),
            // By way of a translator.
            (
                Private,
                "::ffff:127.0.0.1 ::ffff:10.0.0.1 ::ffff:8.8.8.8 ::10.0.0.1 64:ff9b::8.8.8.8 64:ff9b::a00:1 2002:808:808::1",
            ),
            (
                Forbidden,
                "169.254.169.254 169.254.0.1 0.0.0.0 0.1.2.3 255.255.255.255 224.0.0.1 239.1.1.1 240.0.0.1",
            ),
            (Forbidden, "192.0.2.1 198.51.100.1 203.0.113.1 198.18.0.1 198.19.255.1 192.0.0.192 192.88.99.1"),
            (Forbidden, "100.100.100.200 168.63.129.16 fd00:ec2::254 fd20:ce::254 fd00:c1::a9fe:a9fe"),
            (
                Forbidden,
                ":: fe80::1 fec0::1 ff02::1 2001:db8::1 2001::1 2001:20::1 3fff::1 100::1 5f00::1 64:ff9b:1::1",
            ),
            (
                Forbidden,
                "::ffff:169.254.169.254 ::169.254.169.254 64:ff9b::a9fe:a9fe 2002:a9fe:a9fe::1 ::ffff:0.0.0.0",
            ),
        ];
        for (kind, addresses) in cases {
            for address in addresses.split(' ') {
                assert_eq!(Kind::of(address.parse().unwrap()), kind, "{address}");
            }
        }
    }
}
