//! Compiles the C part and links the system's libav, which has its security updates from there.

/// FFmpeg 5.1, the oldest that is tried.
const LIBRARIES: [(&str, &str); 4] =
    [("libavformat", "59.27"), ("libavcodec", "59.37"), ("libswscale", "6.7"), ("libavutil", "57.28")];

fn main() {
    println!("cargo::rerun-if-changed=shim");
    let mut shim = cc::Build::new();
    for (name, version) in LIBRARIES {
        match pkg_config::Config::new().atleast_version(version).probe(name) {
            Ok(found) => drop(shim.includes(found.include_paths)),
            Err(_) => {
                println!("cargo::error={name} {version} or newer is needed to build loge-frames: package {name}-dev");
                return;
            }
        }
    }
    shim.file("shim/film.c").std("c11").warnings(true).extra_warnings(true).opt_level(2);
    shim.flag("-fstack-protector-strong").define("_FORTIFY_SOURCE", "2");
    shim.flag_if_supported("-Wno-deprecated-declarations").compile("loge_film");
}
