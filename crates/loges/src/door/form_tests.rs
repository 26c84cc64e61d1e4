//! Creates that a taken-over server could try, each next to the one that passes.

use super::*;
use serde_json::json;

const NAME: &str = "loge-11111111-22222222-7";

fn spec() -> StartSpec {
    StartSpec {
        install: InstallId::from_random([0x11; 16]),
        tenant: Tenant::User(UserId::from_random([0x22; 16])),
        generation: 7,
        spec_hash: "feed".into(),
        limits: LogeLimits::DEFAULT,
        mounts: vec![Mount { id: FolderId::from_random([0x33; 16]), path: "/srv/films/new".into() }],
        chip: None,
        allows_reduced: false,
        socket: "/vol/sockets/loge-0a0b0c0d/l/3-1f/gate.sock".into(),
        nonce: [0x44; 32],
        slot: 3,
        peer: PeerSlot::default(),
    }
}

fn allowed() -> Allowed {
    Allowed {
        house: "home".into(),
        films: vec!["/srv/films".into()],
        sockets: vec!["/vol/sockets".into()],
        chips: vec![],
        engine_root: Some("/vol".into()),
    }
}

fn image() -> String {
    format!("sha256:{}", "a".repeat(64))
}

fn asked(spec: &StartSpec, nested: &[Nested]) -> Value {
    let parent = docker_parent::name(Some(Driver::CGROUPFS), &spec.install);
    serde_json::to_value(docker_body::body(
        spec,
        nested,
        docker_body::Engine { image: &image(), parent: parent.as_deref(), root: Some("/vol") },
    ))
    .unwrap()
}

fn judge(body: &Value) -> Result<Create, Refusal> {
    create(NAME, body.to_string().as_bytes(), &allowed())
}

/// Changes one thing of a request that passes, and expects the name of what is refused.
fn hostile(pointer: &str, value: Value, expected: &str) {
    let mut body = asked(&spec(), &[]);
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    let inside = body.pointer_mut(parent).unwrap();
    match inside {
        Value::Array(list) if key == "-" => list.push(value),
        Value::Array(list) => list[key.parse::<usize>().unwrap()] = value,
        _ => inside[key] = value,
    }
    let refused = judge(&body).expect_err(pointer).to_string();
    assert!(refused.contains(expected), "{pointer}: {refused}");
}

#[test]
fn what_our_runtime_asks_for_passes_and_is_told_under_its_house() {
    let disk =
        Nested { folder: spec().mounts[0].id.clone(), source: "/srv/films/new/disk".into(), below: "disk".into() };
    for (spec, nested) in [
        (spec(), vec![]),
        (spec(), vec![disk]),
        (StartSpec { mounts: vec![], ..spec() }, vec![]),
        (StartSpec { socket: "/vol/sockets/run/l/0-1/gate.sock".into(), ..spec() }, vec![]),
        (StartSpec { socket: "/vol/sockets/l/0-1/gate.sock".into(), ..spec() }, vec![]),
    ] {
        let asked = asked(&spec, &nested);
        let passed = judge(&asked).unwrap();
        let mut told = serde_json::to_value(&passed.body).unwrap();
        assert_eq!(told["Labels"].as_object_mut().unwrap().remove(LABEL_DOOR), Some(json!("home")));
        assert_eq!(told, asked, "nothing else is changed");
        assert_eq!(passed.image, image());
        assert_eq!(passed.socket.0.join(&passed.socket.1), spec.socket);
    }
}

#[test]
fn every_way_out_of_a_container_is_refused_by_its_name() {
    let bind = |source: &str, target: &str| {
        json!({"Source": source, "Target": target, "Type": "bind", "ReadOnly": true,
               "BindOptions": {"NonRecursive": true, "Propagation": "rprivate"}})
    };
    let media = "/media/33333333333333333333333333333333";
    for (pointer, value, expected) in [
        ("/HostConfig/Privileged", json!(true), "HostConfig.Privileged"),
        ("/HostConfig/CapAdd/-", json!("SYS_ADMIN"), "HostConfig.CapAdd"),
        ("/HostConfig/CapDrop", json!([]), "HostConfig.CapDrop"),
        ("/HostConfig/NetworkMode", json!("host"), "HostConfig.NetworkMode"),
        ("/HostConfig/NetworkMode", json!("bridge"), "HostConfig.NetworkMode"),
        ("/HostConfig/PidMode", json!("host"), "HostConfig.PidMode"),
        ("/HostConfig/IpcMode", json!("host"), "HostConfig.IpcMode"),
        ("/HostConfig/UTSMode", json!("host"), "HostConfig.UTSMode"),
        ("/HostConfig/UsernsMode", json!("host"), "HostConfig.UsernsMode"),
        ("/HostConfig/CgroupnsMode", json!("host"), "HostConfig.CgroupnsMode"),
        ("/HostConfig/CgroupParent", json!("/"), "HostConfig.CgroupParent"),
        ("/HostConfig/CgroupParent", json!("/loge-22222222222222222222222222222222"), "HostConfig.CgroupParent"),
        ("/HostConfig/Binds/-", json!("/:/host"), "HostConfig.Binds"),
        ("/HostConfig/VolumesFrom/-", json!("loge_server_1"), "HostConfig.VolumesFrom"),
        ("/HostConfig/Devices/-", json!({"PathOnHost": "/dev/sda"}), "HostConfig.Devices"),
        ("/HostConfig/DeviceCgroupRules/-", json!("a *:* rwm"), "HostConfig.DeviceCgroupRules"),
        ("/HostConfig/DeviceRequests/-", json!({"Driver": "nvidia"}), "HostConfig.DeviceRequests"),
        ("/HostConfig/GroupAdd/-", json!("0"), "HostConfig.GroupAdd"),
        ("/HostConfig/SecurityOpt/1", json!("seccomp=unconfined"), "HostConfig.SecurityOpt"),
        ("/HostConfig/SecurityOpt/-", json!("apparmor=unconfined"), "HostConfig.SecurityOpt"),
        ("/HostConfig/Sysctls", json!({"kernel.core_pattern": "|/x"}), "HostConfig.Sysctls"),
        ("/HostConfig/ReadonlyRootfs", json!(false), "HostConfig.ReadonlyRootfs"),
        ("/HostConfig/RestartPolicy/Name", json!("always"), "HostConfig.RestartPolicy.Name"),
        ("/HostConfig/Init", json!(false), "HostConfig.Init"),
        ("/HostConfig/OomScoreAdj", json!(-1000), "HostConfig.OomScoreAdj"),
        ("/HostConfig/Memory", json!(0), "Memory"),
        ("/HostConfig/Memory", json!(-1), "Memory"),
        ("/HostConfig/MemorySwap", json!(-1), "HostConfig.MemorySwap"),
        ("/HostConfig/NanoCpus", json!(0), "NanoCpus"),
        ("/HostConfig/NanoCpus", json!(500_000_001), "HostConfig.NanoCpus"),
        ("/HostConfig/PidsLimit", json!(-1), "PidsLimit"),
        ("/HostConfig/Tmpfs", json!({"/work": "exec"}), "HostConfig.Tmpfs"),
        // Fields that the form does not have at all.
        ("/HostConfig/MaskedPaths", json!([]), "HostConfig.MaskedPaths"),
        ("/HostConfig/ReadonlyPaths", json!([]), "HostConfig.ReadonlyPaths"),
        ("/HostConfig/Runtime", json!("other"), "HostConfig.Runtime"),
        ("/HostConfig/StorageOpt", json!({"size": "1T"}), "HostConfig.StorageOpt"),
        ("/HostConfig/PortBindings", json!({"80/tcp": [{}]}), "HostConfig.PortBindings"),
        ("/HostConfig/privileged", json!(true), "HostConfig.privileged"),
        ("/NetworkingConfig", json!({"EndpointsConfig": {"loge_edge": {}}}), "NetworkingConfig"),
        ("/Volumes", json!({"/data": {}}), "Volumes"),
        ("/hostconfig", json!({"Privileged": true}), "hostconfig"),
        // Who runs, what, with what around it.
        ("/User", json!("0:0"), "User"),
        ("/User", json!("20003:0"), "User"),
        ("/User", json!("root"), "User"),
        ("/User", json!("30001:30001"), "User"),
        ("/Image", json!("loge-worker:latest"), "Image"),
        ("/Entrypoint", json!(["/bin/sh"]), "Entrypoint"),
        ("/Cmd", json!(["-c", "id"]), "Cmd"),
        ("/Env/-", json!("LD_PRELOAD=/media/x.so"), "Env"),
        ("/Env/3", json!("LOGE_FFMPEG=/media/x"), "Env"),
        ("/Labels/loge.role", json!("server"), "Labels.loge.role"),
        ("/Labels/loge.door", json!("other"), "Labels.loge.door"),
        ("/Labels/loge.install", json!("x"), "Labels"),
        ("/Labels/loge.generation", json!("8"), "name"),
        ("/NetworkDisabled", json!(false), "NetworkDisabled"),
        ("/Tty", json!(true), "Tty"),
        ("/Healthcheck/Test", json!(["CMD", "/media/x"]), "Healthcheck.Test"),
        // What it is shown.
        ("/HostConfig/Mounts/0", bind("/etc", media), "/etc"),
        ("/HostConfig/Mounts/0", bind("/srv/films/../../etc", media), "/srv/films/../../etc"),
        ("/HostConfig/Mounts/0", bind("/srv/films2", media), "/srv/films2"),
        ("/HostConfig/Mounts/0", bind("srv/films", media), "srv/films"),
        ("/HostConfig/Mounts/0", bind("/vol/sockets", media), "/vol/sockets"),
        ("/HostConfig/Mounts/0", bind("/var/run/docker.sock", media), "docker.sock"),
        ("/HostConfig/Mounts/0/ReadOnly", json!(false), "HostConfig.Mounts"),
        ("/HostConfig/Mounts/0/Type", json!("volume"), "HostConfig.Mounts"),
        ("/HostConfig/Mounts/0/BindOptions/Propagation", json!("rshared"), "HostConfig.Mounts"),
        ("/HostConfig/Mounts/0/BindOptions/NonRecursive", json!(false), "HostConfig.Mounts"),
        ("/HostConfig/Mounts/0/Target", json!("/usr/bin"), "HostConfig.Mounts"),
        ("/HostConfig/Mounts/0/Target", json!(format!("{media}/../../usr")), "HostConfig.Mounts"),
        ("/HostConfig/Mounts/-", bind("/srv/films", "/etc"), "HostConfig.Mounts"),
        ("/HostConfig/Mounts/1/Source", json!("/var/run/docker.sock"), "docker.sock"),
        ("/HostConfig/Mounts/1/Source", json!("/vol/sockets/loge-0a0b0c0d"), "/vol/sockets/loge-0a0b0c0d"),
        ("/HostConfig/Mounts/1/Source", json!("/vol/sockets/x/l/3-1f/gate.sock"), "/vol/sockets/x/l"),
        ("/HostConfig/Mounts/1/Source", json!("/vol/sockets/l/../l/3-1f/gate.sock"), "/vol/sockets/l/.."),
        ("/HostConfig/Mounts/1/Source", json!("/vol/sockets/l/3-1f/keys"), "keys"),
        ("/HostConfig/Mounts/1/ReadOnly", json!(false), "HostConfig.Mounts"),
        ("/HostConfig/Mounts/0/BindOptions/Propagation", json!("rslave"), "HostConfig.Mounts"),
        ("/HostConfig/Mounts/1/BindOptions/Propagation", json!("rprivate"), "HostConfig.Mounts"),
    ] {
        hostile(pointer, value, expected);
    }
    assert!(judge(&asked(&spec(), &[])).is_ok(), "the control");
}

#[test]
fn what_is_no_create_at_all_is_refused() {
    for body in ["", "{", "null", "[]", "{}", r#"{"Image":"x"}"#] {
        assert!(create(NAME, body.as_bytes(), &allowed()).is_err(), "{body}");
    }
    let body = asked(&spec(), &[]).to_string();
    assert!(matches!(create("postgres", body.as_bytes(), &allowed()), Err(Refusal::Form { field }) if field == "name"));
    // The second of two values under one name is the one an engine might take.
    let twice = body.replacen("\"Privileged\":false", "\"Privileged\":false,\"Privileged\":true", 1);
    assert_ne!(twice, body);
    assert!(create(NAME, twice.as_bytes(), &allowed()).is_err());
    // The other way round it passes, and the engine is told what was judged.
    let twice = body.replacen("\"Privileged\":false", "\"Privileged\":true,\"Privileged\":false", 1);
    let told = create(NAME, twice.as_bytes(), &allowed()).unwrap().body;
    assert_eq!(told.host_config.unwrap().privileged, Some(false));
    let nothing = Allowed::default();
    assert!(create(NAME, body.as_bytes(), &nothing).is_err(), "a house that may show nothing shows nothing");
}

#[test]
fn only_the_chip_that_was_named_is_given() {
    let chip = |path: &str, group| RenderNode { path: path.into(), group };
    let asks = |chip| asked(&StartSpec { chip: Some(chip), ..spec() }, &[]).to_string();
    let with = Allowed { chips: vec![chip("/dev/dri/renderD128", Some(104))], ..allowed() };
    let judge = |body: String, allowed: &Allowed| create(NAME, body.as_bytes(), allowed).map(drop);
    assert_eq!(judge(asks(chip("/dev/dri/renderD128", Some(104))), &with), Ok(()));
    for other in [chip("/dev/sda", Some(104)), chip("/dev/dri/renderD128", Some(0)), chip("/dev/dri/renderD128", None)]
    {
        assert_eq!(judge(asks(other), &with), Err(form("HostConfig.Devices")));
    }
    assert!(judge(asks(chip("/dev/dri/renderD128", Some(104))), &allowed()).is_err());
}

#[test]
fn an_update_is_limits_and_nothing_else() {
    let ours = serde_json::to_value(docker_body::update(LogeLimits::DEFAULT)).unwrap();
    assert_eq!(update(ours.to_string().as_bytes()), Ok(docker_body::update(LogeLimits::DEFAULT)));
    for (name, value) in [
        ("Memory", json!(0)),
        ("MemorySwap", json!(-1)),
        ("PidsLimit", json!(0)),
        ("NanoCpus", json!(0)),
        ("Devices", json!([])),
        ("RestartPolicy", json!({"Name": "always"})),
        ("BlkioWeight", json!(1000)),
    ] {
        let mut body = ours.clone();
        body[name] = value;
        assert!(update(body.to_string().as_bytes()).is_err(), "{name}");
    }
    assert!(update(b"{}").is_err());
}
