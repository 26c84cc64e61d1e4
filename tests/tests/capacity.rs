//! The machine is measured through the command line, beside the server that runs, and a film in HD
//! that no browser decodes plays or is refused by what was found.

#![expect(clippy::disallowed_methods, reason = "films, the judge and the command line are real programs")]

use loge_tests::{House, Person, Runtime, binary, media};
use serde_json::{Value, json};
use std::{path::Path, process::Command};

const FILM: &str = "Wide Reel (1999).avi";
const FRAMES: u64 = 100;

fn film(path: &Path) {
    let picture = "testsrc2=s=1280x720:r=25";
    let args = ["-nostdin", "-v", "error", "-y", "-f", "lavfi", "-i", picture, "-t", "4", "-c:v", "mpeg4", "-q:v", "6"];
    assert!(Command::new("ffmpeg").args(args).arg(path).status().expect("ffmpeg runs").success());
}

fn calibrate(house: &House) -> (bool, String) {
    let mut command = Command::new(binary("LOGE_SERVER", "loge-server"));
    let out = command.arg("calibrate").arg("--json").arg("--data-dir").arg(house.data_dir()).output().expect("it runs");
    let said = if out.status.success() { out.stdout } else { out.stderr };
    (out.status.success(), String::from_utf8_lossy(&said).into_owned())
}

fn press_play(person: &Person, title: &str) -> (u16, Value) {
    let answer = person.post(&format!("/api/v1/titles/{title}/play"), &json!({}));
    (answer.status, answer.json())
}

#[test]
fn a_film_in_hd_plays_or_is_refused_by_what_was_measured() {
    for runtime in Runtime::available() {
        let films = tempfile::Builder::new().prefix("loge-films-of-").tempdir().expect("a folder");
        film(&films.path().join(FILM));
        media::open_to_all(films.path());
        let house = House::open(runtime);
        let owner = house.claim();
        let library = house.library(&owner, "Films", films.path());
        let ana = house.viewer(&owner, "Ana", &[&library]);
        let list = ana.get("/api/v1/titles").json();
        let title = list["items"][0]["id"].as_str().unwrap_or_else(|| panic!("{list:#}")).to_string();
        let (status, refused) = press_play(&ana, &title);
        assert_eq!((status, &refused["code"]), (409, &json!("needs_preparing")), "nobody has measured yet: {refused}");

        let (done, said) = calibrate(&house);
        assert!(done, "{said}");
        let found: Value = serde_json::from_str(&said).expect("JSON");
        let view = owner.get("/api/v1/admin/capacity").json();
        assert!(view["calibrated_at"].is_string() && view["running"] == false, "{view:#}");
        let number = |value: &Value| value.as_f64().unwrap_or_else(|| panic!("{found:#}"));
        let cost = |n: usize| number(&found["decode_cost"]) * 4.0 / 9.0 + number(&found["encode"][n]["cost"]);

        // Half a core is Ana's own; an engine lends her more on top.
        let fits = cost(0) * 1.1 <= 0.5;
        let (status, started) = press_play(&ana, &title);
        assert!(
            status == if fits { 200 } else { 409 } || (!fits && runtime == Runtime::Docker),
            "{started:#} {found:#}"
        );
        if fits {
            assert_eq!(started["method"], json!("transcode"), "{started:#}");
            let whole = format!("{}{}", house.url, started["url"].as_str().expect("an address"));
            let args =
                ["-v", "error", "-count_frames", "-select_streams", "v:0", "-show_entries", "stream=nb_read_frames"];
            let out =
                Command::new("ffprobe").args(args).args(["-of", "csv=p=0"]).arg(&whole).output().expect("it runs");
            let frames =
                String::from_utf8_lossy(&out.stdout).lines().find_map(|l| l.trim().trim_end_matches(',').parse().ok());
            assert_eq!(frames, Some(FRAMES), "{}", String::from_utf8_lossy(&out.stderr));
            // Somebody watches now.
            let (done, said) = calibrate(&house);
            assert!(!done && said.contains("Somebody is watching"), "{said}");
        }

        // A tenth of a core is enough for nothing, where nothing is lent on top.
        let limits = owner.patch(&format!("/api/v1/admin/containers/{}/limits", ana.id), &json!({ "cpus": 0.1 }));
        assert!(limits.status < 300, "{limits:?}");
        if matches!(runtime, Runtime::Process) && cost(0) > 0.1 {
            let (status, refused) = press_play(&ana, &title);
            assert_eq!((status, &refused["code"]), (409, &json!("needs_preparing")), "{refused}");
        }
    }
}
