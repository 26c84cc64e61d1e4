use accounts::{Accounts, Device, HashCost, Peer, Principal, SignedIn};
use base::{Bus, Clock, FakeClock, SystemClock, UnixMs};
use domain::{Code, Failure};
use std::sync::Arc;
use store::{Database, Store};

/// Cheap enough to sign in a thousand times.
pub const CHEAP: HashCost = HashCost { memory_kib: 64, passes: 1 };
pub const PASSWORD: &str = "correct horse";

pub struct House {
    pub accounts: Accounts,
    pub store: Store,
    pub clock: FakeClock,
    pub bus: Bus,
    pub dir: tempfile::TempDir,
}

pub fn from(address: &str) -> Peer {
    Peer { address: address.parse().unwrap() }
}

pub fn home() -> Peer {
    from("10.0.0.1")
}

impl House {
    /// A house without an owner.
    pub async fn new() -> Self {
        let mut seed = [0; 8];
        SystemClock.random(&mut seed);
        let clock = FakeClock::new(UnixMs(1_790_000_000_000), u64::from_le_bytes(seed));
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(Database::Sqlite(dir.path().join("loge.db")), Arc::new(clock.clone())).await.unwrap();
        let bus = Bus::new();
        let accounts = open(&store, &clock, &bus, dir.path(), CHEAP).await;
        Self { accounts, store, clock, bus, dir }
    }

    /// One with an owner, who is signed in.
    pub async fn owned() -> (Self, SignedIn) {
        let house = Self::new().await;
        let code = house.accounts.setup_code().unwrap();
        let owner = house.accounts.claim(&code, "owner", PASSWORD, None, Device::default(), home()).await.unwrap();
        (house, owner)
    }

    pub async fn again(&self, cost: HashCost) -> Accounts {
        open(&self.store, &self.clock, &self.bus, self.dir.path(), cost).await
    }

    pub async fn login(&self, name: &str, from: Peer) -> Result<SignedIn, Failure> {
        self.accounts.login(name, PASSWORD, Device::named("Firefox"), from).await
    }

    pub async fn who(&self, signed: &SignedIn) -> Principal {
        self.accounts.authenticate(&signed.access_token).await.unwrap()
    }

    pub async fn viewer(&self, owner: &SignedIn, name: &str) -> SignedIn {
        let by = self.who(owner).await;
        self.accounts.create_user(&by, name, PASSWORD, domain::Role::Viewer, home()).await.unwrap();
        self.login(name, home()).await.unwrap()
    }

    /// What the audit log says, newest first, as `actor action target result`.
    pub async fn log(&self) -> Vec<String> {
        let rows = self.store.audit(500, None).await.unwrap().items;
        rows.into_iter()
            .map(|r| {
                let e = r.entry;
                format!("{} | {} | {} | {}", e.actor, e.action, e.target.unwrap_or_default(), e.result)
            })
            .collect()
    }
}

async fn open(store: &Store, clock: &FakeClock, bus: &Bus, dir: &std::path::Path, cost: HashCost) -> Accounts {
    Accounts::open_with(store.clone(), Arc::new(clock.clone()), bus.clone(), dir, cost).await.unwrap()
}

pub fn code<T>(result: Result<T, Failure>) -> Code {
    match result {
        Ok(_) => panic!("it was let through"),
        Err(failure) => failure.code,
    }
}
