//! Who really asks when a reverse proxy stands in between: by `X-Forwarded-For`, `-Proto` and
//! `-Host`, and by `Forwarded` (RFC 7239). Anybody can send these headers, so they count only when
//! they come from an address that the owner trusts, and only as far as each hop vouches for the
//! one before it.

use std::net::IpAddr;

/// Addresses and networks whose word counts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Trusted(Vec<Network>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Network {
    address: IpAddr,
    /// Leading bits that must be the same.
    bits: u8,
}

impl Trusted {
    /// Reads addresses (`10.0.0.2`) and networks (`172.18.0.0/16`, `fd00::/8`).
    ///
    /// # Errors
    /// The first text that is neither. A network of everybody is refused, too: then anybody could
    /// claim to be anybody.
    pub fn parse<'a>(texts: impl IntoIterator<Item = &'a str>) -> Result<Self, &'a str> {
        texts.into_iter().map(|text| Network::parse(text.trim()).ok_or(text)).collect::<Result<_, _>>().map(Self)
    }

    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(address))
    }

    /// Returns each as it is written.
    pub fn names(&self) -> Vec<String> {
        self.0.iter().map(ToString::to_string).collect()
    }

    /// Returns both together.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        Self(self.0.iter().chain(&other.0).copied().collect())
    }
}

impl std::fmt::Display for Network {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.bits == width(self.address) { self.address.fmt(f) } else { write!(f, "{}/{}", self.address, self.bits) }
    }
}

impl Network {
    fn parse(text: &str) -> Option<Self> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let address = address.parse::<IpAddr>().ok()?.to_canonical();
        let bits = match bits {
            Some(digits) if digits.bytes().all(|b| b.is_ascii_digit()) => digits.parse().ok()?,
            Some(_) => return None,
            None => width(address),
        };
        (1..=width(address)).contains(&bits).then_some(Self { address, bits })
    }

    fn contains(self, other: IpAddr) -> bool {
        let (one, other) = match (self.address, other) {
            (IpAddr::V4(one), IpAddr::V4(other)) => {
                (u128::from(one.to_bits()) << 96, u128::from(other.to_bits()) << 96)
            }
            (IpAddr::V6(one), IpAddr::V6(other)) => (one.to_bits(), other.to_bits()),
            _ => return false,
        };
        (one ^ other) >> (128 - u32::from(self.bits)) == 0
    }
}

const fn width(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    }
}

/// What a request says about the way it took: the values of each header, in their order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Told<'a> {
    pub forwarded: Vec<&'a str>,
    pub x_for: Vec<&'a str>,
    pub x_proto: Vec<&'a str>,
    pub x_host: Vec<&'a str>,
}

/// How a request came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Way {
    pub client: IpAddr,
    /// A proxy that is trusted stands in between.
    pub by_proxy: bool,
    /// Whether the browser spoke `https` to the proxy; `None` where no trusted proxy says.
    pub is_https: Option<bool>,
    /// What the browser called, where the proxy says so.
    pub host: Option<String>,
}

/// The two kinds of headers name different clients, so that one of them comes from the client
/// itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Contradiction;

/// Decides who asks. `peer` is the other end of the connection.
///
/// # Errors
/// See [`Contradiction`].
pub fn way(peer: IpAddr, trusted: &Trusted, told: &Told<'_>) -> Result<Way, Contradiction> {
    let peer = peer.to_canonical();
    if !trusted.contains(peer) {
        return Ok(Way { client: peer, by_proxy: false, is_https: None, host: None });
    }
    let elements: Vec<Element<'_>> = told.forwarded.iter().flat_map(|value| elements(value)).collect();
    let by_x: Vec<&str> = told.x_for.iter().flat_map(|value| value.split(',')).map(str::trim).collect();
    let by_forwarded: Vec<&str> = elements.iter().map(|element| element.by_name("for").unwrap_or("unknown")).collect();
    let client = match (by_x.is_empty(), by_forwarded.is_empty()) {
        (false, true) => farthest(peer, trusted, &by_x),
        (true, _) => farthest(peer, trusted, &by_forwarded),
        (false, false) => {
            let (one, other) = (farthest(peer, trusted, &by_x), farthest(peer, trusted, &by_forwarded));
            if one != other {
                return Err(Contradiction);
            }
            one
        }
    };
    // The last word is the peer's own.
    let last =
        |values: &[&'_ str]| values.last().and_then(|value| value.rsplit(',').next()).map(|v| v.trim().to_owned());
    let of_forwarded = |name| elements.last().and_then(|element| element.by_name(name)).map(str::to_owned);
    let scheme = last(&told.x_proto).or_else(|| of_forwarded("proto"));
    let host = last(&told.x_host).or_else(|| of_forwarded("host")).filter(|host| !host.is_empty());
    Ok(Way { client, by_proxy: true, is_https: scheme.map(|scheme| scheme.eq_ignore_ascii_case("https")), host })
}

/// Returns the first address, seen from our side, that is not trusted: what it says about others is
/// hearsay. An entry that is no address ends the search at the hop that wrote it.
fn farthest(peer: IpAddr, trusted: &Trusted, hops: &[&str]) -> IpAddr {
    let mut client = peer;
    for hop in hops.iter().rev() {
        let Some(address) = address(hop) else { break };
        client = address;
        if !trusted.contains(address) {
            break;
        }
    }
    client
}

/// Reads `192.0.2.1`, `192.0.2.1:4711`, `2001:db8::1` and `[2001:db8::1]:4711`.
fn address(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let bare = match text.strip_prefix('[') {
        Some(rest) => rest.split_once(']')?.0,
        None if text.bytes().filter(|b| *b == b':').count() == 1 => text.split_once(':')?.0,
        None => text,
    };
    bare.parse::<IpAddr>().ok().map(|address| address.to_canonical())
}

/// One hop of a `Forwarded` header.
struct Element<'a>(Vec<(&'a str, &'a str)>);

impl<'a> Element<'a> {
    fn by_name(&self, name: &str) -> Option<&'a str> {
        self.0.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| *value)
    }
}

/// Reads `for=192.0.2.1;proto=https, for="[2001:db8::1]:4711"`. Escapes do not occur in what we read.
fn elements(value: &str) -> Vec<Element<'_>> {
    let pair = |text| {
        let (name, value) = str::split_once(text, '=')?;
        Some((name.trim(), value.trim().trim_matches('"')))
    };
    let element = |text| Element(outside_quotes(text, ';').into_iter().filter_map(pair).collect());
    outside_quotes(value, ',').into_iter().map(element).collect()
}

/// Splits at a separator, but not inside quotes.
fn outside_quotes(text: &str, separator: char) -> Vec<&str> {
    let mut is_quoted = false;
    text.split(|letter| {
        is_quoted ^= letter == '"';
        letter == separator && !is_quoted
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn trusted() -> Trusted {
        Trusted::parse(["127.0.0.1", "172.18.0.0/16", "fd00::/8"]).unwrap()
    }

    fn client(peer: &str, told: &Told<'_>) -> Result<String, Contradiction> {
        way(ip(peer), &trusted(), told).map(|way| way.client.to_string())
    }

    fn x_for(value: &str) -> Told<'_> {
        Told { x_for: vec![value], ..Told::default() }
    }

    fn forwarded(value: &str) -> Told<'_> {
        Told { forwarded: vec![value], ..Told::default() }
    }

    #[test]
    fn networks_are_read_and_nothing_else() {
        for (network, inside, outside) in [
            ("10.0.0.2", "10.0.0.2", "10.0.0.3"),
            ("172.18.0.0/16", "172.18.255.255", "172.19.0.0"),
            ("172.18.5.5/16", "172.18.0.1", "172.17.0.1"),
            ("fd00::/8", "fd12::1", "fe00::1"),
            ("::ffff:10.0.0.2", "10.0.0.2", "10.0.0.1"),
            ("10.0.0.2", "::ffff:10.0.0.2", "::10.0.0.2"),
            ("128.0.0.0/1", "200.0.0.1", "100.0.0.1"),
        ] {
            let trusted = Trusted::parse([network]).unwrap();
            assert!(trusted.contains(ip(inside)) && !trusted.contains(ip(outside)), "{network}");
        }
        for text in
            ["", "10.0.0", "10.0.0.1/33", "10.0.0.1/+8", "0.0.0.0/0", "::/0", "nas.lan", "10.0.0.1/", "fd00::/129"]
        {
            assert_eq!(Trusted::parse(["10.0.0.1", text]), Err(text));
        }
    }

    #[test]
    fn strangers_are_who_they_are() {
        let told = Told {
            forwarded: vec!["for=1.2.3.4;proto=https;host=x.example"],
            x_for: vec!["9.9.9.9"],
            x_proto: vec!["https"],
            x_host: vec!["x.example"],
        };
        let way = way(ip("192.168.1.5"), &trusted(), &told).unwrap();
        assert_eq!(way, Way { client: ip("192.168.1.5"), by_proxy: false, is_https: None, host: None });
    }

    #[test]
    fn the_rightmost_address_that_is_not_trusted_is_the_client() {
        for (value, right) in [
            ("203.0.113.9", "203.0.113.9"),
            // What the client sent itself stands to the left.
            ("10.9.9.9, 203.0.113.9", "203.0.113.9"),
            ("203.0.113.9, 172.18.0.7", "203.0.113.9"),
            ("1.1.1.1,203.0.113.9,172.18.0.7,fd00::3", "203.0.113.9"),
            ("203.0.113.9:4711", "203.0.113.9"),
            ("[2001:db8::1]:4711", "2001:db8::1"),
            ("2001:db8::1", "2001:db8::1"),
            ("::ffff:203.0.113.9", "203.0.113.9"),
            // All are trusted: the farthest of them.
            ("172.18.0.9, 172.18.0.7", "172.18.0.9"),
            // Who wrote what is no address is as far as we see.
            ("unknown", "127.0.0.1"),
            ("203.0.113.9, unknown", "127.0.0.1"),
            ("unknown, 172.18.0.7", "172.18.0.7"),
            ("", "127.0.0.1"),
            ("' OR 1=1", "127.0.0.1"),
        ] {
            assert_eq!(client("127.0.0.1", &x_for(value)).as_deref(), Ok(right), "{value}");
        }
        let two = Told { x_for: vec!["1.1.1.1", "203.0.113.9"], ..Told::default() };
        assert_eq!(client("127.0.0.1", &two).as_deref(), Ok("203.0.113.9"), "two lines are one list");
    }

    #[test]
    fn the_standard_header_counts_as_well() {
        for (value, right) in [
            ("for=203.0.113.9", "203.0.113.9"),
            ("For=\"[2001:db8:cafe::17]:4711\"", "2001:db8:cafe::17"),
            ("for=192.0.2.43, for=203.0.113.9;proto=http;by=172.18.0.2", "203.0.113.9"),
            ("for=203.0.113.9, for=172.18.0.7", "203.0.113.9"),
            ("for=_hidden, for=_SEVKISEK", "127.0.0.1"),
            ("proto=https", "127.0.0.1"),
            ("for=\"203.0.113.9, for=8.8.8.8\"", "127.0.0.1"),
        ] {
            assert_eq!(client("127.0.0.1", &forwarded(value)).as_deref(), Ok(right), "{value}");
        }
        let told = forwarded(
            "for=1.1.1.1;host=far.example;proto=http, for=203.0.113.9;host=\"films.example:8443\";proto=https",
        );
        let way = way(ip("172.18.0.2"), &trusted(), &told).unwrap();
        assert_eq!((way.is_https, way.host.as_deref()), (Some(true), Some("films.example:8443")));
    }

    #[test]
    fn a_header_that_the_proxy_did_not_write_changes_nothing_unseen() {
        // A proxy that writes one kind passes the other one on as the client sent it.
        let spoofed = Told { x_for: vec!["203.0.113.9"], ..forwarded("for=127.0.0.1") };
        assert_eq!(client("127.0.0.1", &spoofed), Err(Contradiction));
        let both = Told { x_for: vec!["1.1.1.1, 203.0.113.9"], ..forwarded("for=203.0.113.9") };
        assert_eq!(client("127.0.0.1", &both).as_deref(), Ok("203.0.113.9"));
    }

    #[test]
    fn the_last_word_about_name_and_scheme_is_the_peers() {
        let told = Told {
            x_proto: vec!["https, http"],
            x_host: vec!["evil.example", "films.example"],
            ..x_for("203.0.113.9")
        };
        let way = way(ip("127.0.0.1"), &trusted(), &told).unwrap();
        assert_eq!((way.is_https, way.host.as_deref()), (Some(false), Some("films.example")));
        let nothing = super::way(ip("127.0.0.1"), &trusted(), &x_for("203.0.113.9")).unwrap();
        assert_eq!((nothing.is_https, nothing.host), (None, None));
    }
}
