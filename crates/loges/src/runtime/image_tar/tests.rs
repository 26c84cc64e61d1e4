use super::*;
use std::io::Cursor;

const LABEL: (&str, &str) = ("loge.image", "worker");
const CONFIG: &str = r#"{"config":{"Labels":{"loge.image":"worker"}},"rootfs":{"diff_ids":["sha256:1","sha256:2"]}}"#;
const MANIFEST: &str =
    r#"[{"Config":"c.json","RepoTags":["loge-worker:latest"],"Layers":["a/layer.tar","b/layer.tar"]}]"#;

fn entry(name: &str, kind: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len() as u64;
    let mut entry = header(name, length);
    entry[156] = kind;
    entry.extend_from_slice(content);
    entry.extend_from_slice(&padding(length));
    entry
}

fn file(name: &str, content: &str) -> Vec<u8> {
    entry(name, b'0', content.as_bytes())
}

fn layers() -> Vec<u8> {
    [file("a/layer.tar", &"A".repeat(1300)), file("b/layer.tar", "BB")].concat()
}

fn check(parts: &[Vec<u8>]) -> Result<SavedImage, SavedImageError> {
    read(&mut Cursor::new([parts.concat(), vec![0; 1024]].concat()), LABEL)
}

/// Returns the archive an engine would be given.
fn bytes(image: &SavedImage, archive: &[u8], name: &str) -> Vec<u8> {
    let mut out = Vec::new();
    for part in image.rewritten(name) {
        match part {
            Part::Bytes(bytes) => out.extend(bytes),
            Part::Of(section) => out.extend(&archive[section.at as usize..][..section.length as usize]),
        }
    }
    out
}

#[test]
fn an_engine_gets_one_manifest_one_name_and_the_parts_it_names() {
    let repositories = file("repositories", r#"{"postgres":{"17":"b"}}"#);
    let index = file("index.json", r#"{"annotations":{"org.opencontainers.image.ref.name":"postgres:17"}}"#);
    let archive = [file("c.json", CONFIG), layers(), repositories, index, file("manifest.json", MANIFEST)].concat();
    let image = check(std::slice::from_ref(&archive)).unwrap();
    let written = bytes(&image, &archive, "loge-worker:import-1");
    assert_eq!(written.len() as u64 % BLOCK, 0);

    let text = String::from_utf8_lossy(&written);
    for foreign in ["postgres", "loge-worker:latest", "repositories", "index.json"] {
        assert!(!text.contains(foreign), "{foreign}");
    }
    let names = entries(&mut Cursor::new(&written)).unwrap();
    let config = format!("{}.json", image.digest());
    let mut expected = vec![config.as_str(), "layer-0.tar", "layer-1.tar", "manifest.json"];
    expected.sort_unstable();
    let mut seen: Vec<_> = names.keys().map(String::as_str).collect();
    seen.sort_unstable();
    assert_eq!(seen, expected);
    let of = |name: &str| &written[names[name].at as usize..][..names[name].length as usize];
    assert_eq!((of("layer-0.tar").len(), of("layer-1.tar")), (1300, &b"BB"[..]));
    assert_eq!(of(&config), CONFIG.as_bytes());
    let manifest: serde_json::Value = serde_json::from_slice(of("manifest.json")).unwrap();
    assert_eq!(manifest[0]["RepoTags"], serde_json::json!(["loge-worker:import-1"]));
    // What was written is what would be read.
    let again = read(&mut Cursor::new(&written), LABEL).unwrap();
    assert_eq!(again.digest(), image.digest());
}

#[test]
fn what_could_be_read_in_two_ways_is_not_taken() {
    let good = || vec![file("c.json", CONFIG), layers(), file("manifest.json", MANIFEST)];
    assert!(check(&good()).is_ok(), "the control");
    let with = |more: &[Vec<u8>]| check(&[good(), more.to_vec()].concat()).map(|image| image.digest());
    let said = |outcome: Result<String, SavedImageError>| outcome.unwrap_err().to_string();
    let second = file("manifest.json", r#"[{"Config":"c.json","RepoTags":["postgres:17"],"Layers":[]}]"#);
    assert_eq!(said(with(&[second])), "it holds manifest.json twice");
    assert_eq!(said(with(&[file("./c.json", CONFIG)])), "it holds c.json twice");
    // An extended header gives the next entry another name; that entry is left out, not believed.
    let longer = entry("x", b'x', b"22 path=manifest.json\n");
    assert!(with(&[longer.clone(), file("innocent", MANIFEST)]).is_ok());
    let hidden = check(&[file("c.json", CONFIG), layers(), longer, file("manifest.json", MANIFEST)]);
    assert_eq!(hidden.unwrap_err().to_string(), "it lacks manifest.json");
    assert_eq!(said(with(&[entry("g", b'g', b"22 path=manifest.json\n")])), "it is no saved image");
    let link = entry("b/layer.tar", b'2', b"");
    let linked = [file("c.json", CONFIG), file("a/layer.tar", "A"), link, file("manifest.json", MANIFEST)];
    assert_eq!(check(&linked).unwrap_err().to_string(), "it lacks b/layer.tar");
}

#[test]
fn only_one_worker_image_is_taken() {
    let of = |config: &str, manifest: &str| {
        check(&[file("c.json", config), layers(), file("manifest.json", manifest)]).map(|_| ()).unwrap_err().to_string()
    };
    for (manifest, expected) in [
        (r#"[{"Config":"c.json","Layers":["a/layer.tar"]}]"#, "no saved image"),
        (r#"[{"Config":"c.json","Layers":["a/layer.tar","/etc/shadow"]}]"#, "lacks /etc/shadow"),
        (r#"[{"Config":"d.json","Layers":[]}]"#, "lacks d.json"),
        (r#"[{"Config":7}]"#, "no saved image"),
        (r#"[{},{}]"#, "holds 2 images"),
        ("[]", "holds 0 images"),
        ("{}", "no saved image"),
        ("x", "no saved image"),
    ] {
        let said = of(CONFIG, manifest);
        assert!(said.contains(expected), "{manifest}: {said}");
    }
    for config in [
        r#"{"config":{"Labels":{"loge.image":"server"}},"rootfs":{"diff_ids":["1","2"]}}"#,
        r#"{"config":{"Labels":null},"rootfs":{"diff_ids":["1","2"]}}"#,
        r#"{"container_config":{"Labels":{"loge.image":"worker"}},"rootfs":{"diff_ids":["1","2"]}}"#,
    ] {
        assert_eq!(of(config, MANIFEST), "it is no worker of Loge", "{config}");
    }
}

#[test]
fn what_is_no_archive_is_said_to_be_none() {
    let huge = {
        let mut e = file("manifest.json", "[]");
        e[124..135].copy_from_slice(b"77777777777");
        e
    };
    for bytes in [
        &b""[..],
        b"text",
        &[0x1f, 0x8b, 8, 0, 0],
        &[0; 2048],
        &[b'a'; 5000],
        &file("a", "b")[..600],
        &file("manifest.json", MANIFEST),
        &huge,
    ] {
        assert!(read(&mut Cursor::new(bytes), LABEL).is_err(), "{} bytes", bytes.len());
    }
}
