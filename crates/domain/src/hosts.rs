//! Names under which a house may be called. A page of another site that makes its own name point
//! here (DNS rebinding) must be refused by the name it was called with, even with valid cookies;
//! names that only a private network resolves cannot be such a name.

use std::net::IpAddr;

/// Endings that no public name has: reserved ones, ones that are not delegated, and the name that
/// the most common home router gives itself.
const PRIVATE_ENDINGS: [&str; 6] = ["lan", "local", "localdomain", "internal", "home.arpa", "fritz.box"];

const LONGEST_NAME: usize = 253;
const LONGEST_LABEL: usize = 63;

/// A host as it was called, without its port.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum HostName {
    Address(IpAddr),
    /// In lower case, without a dot at its end.
    Name(String),
}

impl HostName {
    /// Reads one name or address; `None` for what is neither.
    pub fn parse(text: &str) -> Option<Self> {
        if let Some(inside) = text.strip_prefix('[') {
            let address = inside.strip_suffix(']')?.parse::<IpAddr>().ok()?;
            return address.is_ipv6().then_some(Self::Address(address));
        }
        if let Ok(IpAddr::V4(address)) = text.parse::<IpAddr>() {
            return Some(Self::Address(address.into()));
        }
        let name = text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
        let labels: Vec<&str> = name.split('.').collect();
        let is_fine = name.len() <= LONGEST_NAME && labels.iter().all(|label| is_label(label));
        // What ends in a number is an address in some spelling, or nothing.
        let is_numeric =
            labels.last().is_none_or(|last| last.starts_with("0x") || last.bytes().all(|b| b.is_ascii_digit()));
        (is_fine && !is_numeric).then_some(Self::Name(name))
    }

    /// Returns whether it is the name of this machine, called `node`, in a tailnet
    /// (`nas.tail1234.ts.net`): others have names below the same ending.
    pub fn is_tailnet_name_of(&self, node: &Self) -> bool {
        let (Self::Name(name), Self::Name(node)) = (self, node) else { return false };
        let own = node.split('.').next().unwrap_or_default();
        name.strip_suffix(".ts.net")
            .and_then(|rest| rest.split_once('.'))
            .is_some_and(|(first, net)| first == own && !net.contains('.'))
    }

    /// Returns whether no outsider can own this name.
    pub fn is_private_name(&self) -> bool {
        let Self::Name(name) = self else { return false };
        let ends = |ending: &str| name.strip_suffix(ending).is_some_and(|rest| rest.ends_with('.'));
        !name.contains('.') || *name == "fritz.box" || PRIVATE_ENDINGS.iter().any(|ending| ends(ending))
    }
}

impl std::fmt::Display for HostName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Address(IpAddr::V6(address)) => write!(f, "[{address}]"),
            Self::Address(address) => address.fmt(f),
            Self::Name(name) => f.write_str(name),
        }
    }
}

/// Where a house is reached from outside: `https://films.example.org`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicUrl {
    pub is_https: bool,
    pub host: HostName,
    pub port: Option<u16>,
}

impl PublicUrl {
    /// Reads an address of a page; what comes after the host must be nothing, since the house does
    /// not live in a folder of another site.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let (is_https, rest) = match text.strip_prefix("https://") {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix("http://")?),
        };
        let (name, port) = split_port(rest.strip_suffix('/').unwrap_or(rest))?;
        Some(Self { is_https, host: HostName::parse(name)?, port: port.filter(|port| *port != default_port(is_https)) })
    }
}

impl std::fmt::Display for PublicUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let scheme = if self.is_https { "https" } else { "http" };
        write!(f, "{scheme}://{}", self.host)?;
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

/// Returns the port that an address without one means.
pub const fn default_port(is_https: bool) -> u16 {
    if is_https { 443 } else { 80 }
}

fn is_label(label: &str) -> bool {
    (1..=LONGEST_LABEL).contains(&label.len())
        && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
        && !label.starts_with('-')
        && !label.ends_with('-')
}

/// Splits `name[:port]`, where a port is plain digits; `None` for anything else.
pub fn split_port(host: &str) -> Option<(&str, Option<u16>)> {
    let (name, port) = match host.strip_prefix('[') {
        Some(rest) => {
            let end = rest.find(']')? + 2;
            (host.get(..end)?, host.get(end..)?)
        }
        None => host.split_at(host.find(':').unwrap_or(host.len())),
    };
    if name.is_empty() {
        return None;
    }
    match port.strip_prefix(':') {
        None if port.is_empty() => Some((name, None)),
        Some(digits) if !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) => {
            Some((name, Some(digits.parse().ok()?)))
        }
        _ => None,
    }
}

/// Reads what an owner typed as a name to allow: people paste addresses of pages. `None` where it
/// holds no name.
pub fn from_typed(text: &str) -> Option<HostName> {
    let text = text.trim();
    let text = ["http://", "https://"].iter().find_map(|scheme| text.strip_prefix(scheme)).unwrap_or(text);
    let host = text.split(['/', '?', '#']).next()?;
    if let Ok(address) = host.parse::<IpAddr>() {
        return Some(HostName::Address(address));
    }
    HostName::parse(split_port(host)?.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Option<String> {
        HostName::parse(text).map(|host| host.to_string())
    }

    #[test]
    fn a_tailnet_name_is_ours_by_its_first_part() {
        let node = HostName::parse("nas.home.arpa").unwrap();
        let is_ours = |text: &str| HostName::parse(text).unwrap().is_tailnet_name_of(&node);
        assert!(is_ours("nas.tail1234.ts.net") && is_ours("NAS.tail1234.ts.net."));
        for other in
            ["other.tail1234.ts.net", "nas.ts.net", "nas.x.tail1234.ts.net", "nas.tail1234.ts.net.evil.example"]
        {
            assert!(!is_ours(other), "{other}");
        }
    }

    #[test]
    fn a_public_address_has_no_folder() {
        let read = |text: &str| PublicUrl::parse(text).map(|url| url.to_string());
        for (text, right) in [
            ("https://Films.example.org/", "https://films.example.org"),
            ("https://films.example.org:443", "https://films.example.org"),
            ("http://films.example.org:443", "http://films.example.org:443"),
            (" http://[2001:db8::1]:8096 ", "http://[2001:db8::1]:8096"),
        ] {
            assert_eq!(read(text).as_deref(), Some(right), "{text}");
        }
        for text in [
            "films.example.org",
            "https://films.example.org/loge",
            "ftp://films.example.org",
            "https://",
            "https://a b",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn names_are_one_spelling() {
        for (text, one) in [
            ("NAS.Lan", "nas.lan"),
            ("nas.lan.", "nas.lan"),
            ("nas", "nas"),
            ("my_nas.lan", "my_nas.lan"),
            ("10.0.0.1", "10.0.0.1"),
            ("[::1]", "[::1]"),
            ("[2001:DB8::1]", "[2001:db8::1]"),
            ("xn--flms-pma.example", "xn--flms-pma.example"),
            ("4chan.example", "4chan.example"),
        ] {
            assert_eq!(name(text).as_deref(), Some(one), "{text}");
        }
        for text in [
            "",
            ".",
            "..",
            "nas..lan",
            "nas.lan..",
            ".lan",
            "-nas.lan",
            "nas-.lan",
            "n as",
            "n\u{e4}s.lan",
            "user@nas",
            "127.1",
            "2130706433",
            "0x7f000001",
            "0x7f.1",
            "1.2.3.4.5",
            "nas.123",
            "[nas]",
            "[10.0.0.1]",
            "::1",
            "[::1",
            "nas:80",
            "<b>",
        ] {
            assert_eq!(name(text), None, "{text}");
        }
        assert_eq!(name(&"a".repeat(64)), None);
        assert!(name(&"a.".repeat(127)).is_some(), "253 letters and a dot are the most that DNS carries");
        assert_eq!(name(&"a.".repeat(128)), None, "too long");
    }

    #[test]
    fn only_names_that_nobody_outside_can_own_are_private() {
        let is_private = |text: &str| HostName::parse(text).unwrap().is_private_name();
        for text in [
            "nas",
            "nas.lan",
            "nas.fritz.box",
            "fritz.box",
            "nas.home.arpa",
            "nas.internal",
            "tv.nas.local",
            "a.localdomain",
            "NAS.LAN.",
        ] {
            assert!(is_private(text), "{text}");
        }
        for text in [
            "evil.example",
            "evil.com",
            "nas.lan.evil.com",
            "notfritz.box",
            "evil.box",
            "nas.arpa",
            "xhome.arpa",
            "lan.com",
            "10.0.0.1",
            "[::1]",
        ] {
            assert!(!is_private(text), "{text}");
        }
    }

    #[test]
    fn what_is_pasted_is_understood() {
        for (text, one) in [
            (" https://Films.example.org/library?x#y ", "films.example.org"),
            ("films.example.org:8443", "films.example.org"),
            ("http://192.168.1.5:8096", "192.168.1.5"),
            ("2001:db8::1", "[2001:db8::1]"),
            ("[2001:db8::1]:8096", "[2001:db8::1]"),
        ] {
            assert_eq!(from_typed(text).map(|host| host.to_string()).as_deref(), Some(one), "{text}");
        }
        for text in ["", "https://", "ftp://films.example", "films example", "a:b", "*.example.org"] {
            assert_eq!(from_typed(text), None, "{text}");
        }
    }

    #[test]
    fn a_port_is_digits() {
        assert_eq!(split_port("nas:80"), Some(("nas", Some(80))));
        assert_eq!(split_port("[::1]:80"), Some(("[::1]", Some(80))));
        for text in ["", ":80", "nas:", "nas:+80", "nas:80:80", "nas:65537", "[::1", "[::1]80"] {
            assert_eq!(split_port(text), None, "{text}");
        }
    }
}
