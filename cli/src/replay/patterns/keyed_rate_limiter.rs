//! The rate limiter with a bucket for each key.

use super::answers::{admit, reject};
use super::keyed::{self, Asked, ENTRIES, HASH, HASH_SEED, KEY, NUMBERED, WHEN_FULL, asked};
use super::{policy, rate_limiter};
use crate::replay::call::Call;
use crate::replay::fields::Fields;
use crate::replay::names::Fault;
use crate::replay::schema::{ADMISSION, Info, Instance, Kind, Operation, Param, Pattern, STATE, Spec, U32};
use crate::replay::value::Args;
use seawall::core::Instant;
use seawall::core::keyed::{Bucket, Entry, Grant, KeyedRateLimiter, Refund, Rejected, Status};

type Table = KeyedRateLimiter<0, Vec<Entry>>;

pub(super) type Keyed = keyed::Keyed<Table>;

const GRANT: &str = "keyed_rate_limiter grant";
const COST: Param = Param::required("cost", U32, "tokens");

static SPEC: Spec<Keyed> = Spec {
    info: Info {
        name: "keyed_rate_limiter",
        about: "A bucket for each key, all with one quota, in a table of `entries`. \
                In one of more than 1024 only state, len, is_empty, evictions and snapshot print the state, \
                which is a walk over all of it",
        keys: &[
            rate_limiter::KEYS[0],
            rate_limiter::KEYS[1],
            rate_limiter::KEYS[2],
            ENTRIES,
            WHEN_FULL,
            Param::or(
                "forgiving",
                U32,
                "1",
                "an entry may go although its key owes so many tokens, if no other is as new",
            ),
            HASH_SEED,
        ],
        prints: &[&["held", "in_debt", "denied", "evictions", "forgiven", "turned_away"]],
        example: r#"
{"policy": {"keyed_rate_limiter": {"rate": 1, "burst": 2, "entries": 8}}}
{"at": "0s", "op": "keyed_rate_limiter.try_acquire", "key": "alice", "times": 3, "expect_admitted": 2}
{"op": "keyed_rate_limiter.try_acquire", "key": "bob", "as": "g", "expect": {"admitted": true, "held": 2, "denied": 1}}
{"op": "keyed_rate_limiter.try_acquire_many", "key": "bob", "cost": 2, "expect": {"rejected": "limited", "retry_after": "1s"}}
{"op": "keyed_rate_limiter.check", "key": "bob", "cost": 3, "expect": {"rejected": "exceeds_burst"}}
{"op": "keyed_rate_limiter.is_shared", "grant": "g", "expect": {"shared": false}}
{"op": "keyed_rate_limiter.refund", "grant": "g", "expect": {"refund": "returned"}}
{"op": "keyed_rate_limiter.status", "key": "alice", "expect": {"known": true, "available": 0}}
{"op": "keyed_rate_limiter.hot", "expect": {"hot": [{"available": 0}]}}
{"op": "keyed_rate_limiter.try_acquire", "key": "flood", "numbered": true, "times": 100, "expect": {"denied": {"min": 1}}}
{"op": "keyed_rate_limiter.try_acquire", "key": "alice", "expect": {"admitted": false}}
{"op": "keyed_rate_limiter.forget", "key": "alice", "expect": {"known": true}}
{"op": "keyed_rate_limiter.evictions"}
{"op": "keyed_rate_limiter.len"}
{"op": "keyed_rate_limiter.is_empty", "expect": {"empty": false}}
{"op": "keyed_rate_limiter.snapshot"}
{"op": "keyed_rate_limiter.quota", "expect": {"rate": 1, "burst": 2}}
{"op": "keyed_rate_limiter.config", "expect": {"config": {"per": "1s", "entries": 8, "when_full": "refuse"}}}
{"op": "keyed_rate_limiter.try_acquire", "hash": 7, "expect": {"admitted": true}}
{"op": "keyed_rate_limiter.status", "hash": 7, "expect": {"known": true}}
"#,
    },
    operations: &[
        Operation::new("try_acquire", "takes one token from the bucket of a key", &[KEY, HASH, NUMBERED], try_acquire)
            .gives(&[GRANT])
            .prints(&[ADMISSION]),
        Operation::new(
            "try_acquire_many",
            "takes `cost` tokens from the bucket of a key, or none",
            &[KEY, HASH, NUMBERED, COST],
            try_acquire,
        )
        .gives(&[GRANT])
        .prints(&[ADMISSION]),
        Operation::new("check", "says whether `cost` tokens could be taken", &[KEY, HASH, NUMBERED, COST], check)
            .prints(&[ADMISSION]),
        Operation::new(
            "refund",
            "gives the tokens of a grant back: \"returned\", \"lapsed\", or \"stale\" if the key lost its entry",
            &[Param::required("grant", Kind::Held(&[GRANT]), "what try_acquire gave; it is used up by this")],
            refund,
        )
        .prints(&[&["refund"]]),
        Operation::new(
            "is_shared",
            "says whether the tokens came from the bucket that keys without an entry share",
            &[Param::required("grant", Kind::Held(&[GRANT]), "what try_acquire gave")],
            is_shared,
        )
        .prints(&[&["shared"]]),
        Operation::new("status", "prints how the bucket of a key is doing, if it has an entry", &[KEY, HASH, NUMBERED], status)
            .prints(&[&["known", "entry", "available"]]),
        Operation::new("forget", "takes the entry of a key away, and says whether it had one", &[KEY, HASH, NUMBERED], forget)
            .prints(&[&["known"]]),
        Operation::new("hot", "prints the entries whose buckets are not full", &[], hot).prints(&[&["hot"]]),
        Operation::new("evictions", "prints how many keys lost their entry", &[], print_sums),
        Operation::new("len", "prints how many keys have an entry", &[], print_sums),
        Operation::new("is_empty", "says whether no key has an entry", &[], |keyed: &'static Keyed, call| {
            call.out().put("empty", keyed.is_empty());
            print_sums(keyed, call)
        })
        .prints(&[&["empty"]]),
        Operation::new("state", STATE.about, &[], print_sums),
        Operation::new("snapshot", "prints all buckets in sums", &[], print_sums),
        Operation::config(|keyed: &'static Keyed, call| {
            rate_limiter::configured(keyed.quota(), call.config());
            Ok(())
        }),
        Operation::new("quota", "prints the quota of each key", &[], |keyed: &'static Keyed, call| {
            rate_limiter::print_quota(call.out(), keyed.quota());
            Ok(())
        })
        .prints(&[rate_limiter::QUOTA]),
    ],
    state: print_state,
    configure,
};

pub(super) const PATTERN: &dyn Pattern = &SPEC;

fn configure(args: &Args) -> Result<Box<dyn Instance>, Vec<String>> {
    let quota = policy::with_table("rate_limiter", &args.only(&["rate", "per", "burst"]))?;
    let Some(quota) = quota.rate_limit_config() else { return Err(vec!["rate is missing".to_owned()]) };
    let (config, entries) = keyed::table(args, Entry::new);
    let length = entries.len();
    Table::over(*quota, config, entries)
        .map(|table| SPEC.bind(Keyed::new(table, length)))
        .map_err(|error| vec![super::answers::wrong(&error)])
}

/// The sums of a table are a walk over all of it: after each decision only where that is short.
fn print_state(keyed: &Keyed, now: Instant, out: &mut Fields) {
    if keyed.is_short {
        sums(keyed, now, out);
    }
}

fn print_sums(keyed: &'static Keyed, call: &mut Call<'_>) -> Result<(), Fault> {
    let now = call.now();
    sums(keyed, now, call.out());
    Ok(())
}

fn sums(keyed: &Keyed, now: Instant, out: &mut Fields) {
    let sums = keyed.snapshot(now);
    out.put("held", sums.held as u64);
    out.put("in_debt", sums.in_debt as u64);
    out.put("denied", sums.denied as u64);
    out.put("evictions", sums.evictions);
    out.put("forgiven", sums.forgiven);
    out.put("turned_away", sums.turned_away);
}

fn bucket<'k>(keyed: &'k Keyed, call: &Call<'_>) -> Result<Bucket<'k>, Fault> {
    Ok(bucket_of(keyed, &asked(call)?))
}

/// The bucket of a key.
pub(super) fn bucket_of<'k>(keyed: &'k Keyed, asked: &Asked) -> Bucket<'k> {
    match asked {
        Asked::Key(key) => keyed.bucket(key),
        Asked::Hash(hash) => keyed.bucket_of_hash(*hash),
    }
}

/// What a refusal is called.
pub(super) fn reason(rejected: &Rejected) -> &'static str {
    match rejected {
        Rejected::ExceedsBurst { .. } => "exceeds_burst",
        Rejected::TableFull { .. } => "table_full",
        _ => "limited",
    }
}

fn refuse(out: &mut Fields, rejected: &Rejected) {
    reject(out, "keyed_rate_limiter", reason(rejected), rejected.retry_after());
}

fn try_acquire(keyed: &'static Keyed, call: &mut Call<'_>) -> Result<(), Fault> {
    let bucket = bucket(keyed, call)?;
    let taken = match call.args().u32("cost") {
        Some(cost) => bucket.try_acquire_many(cost, call.now()),
        None => bucket.try_acquire(call.now()),
    };
    match taken {
        Ok(grant) => {
            admit(call.out());
            call.keep(GRANT, grant)
        }
        Err(rejected) => {
            refuse(call.out(), &rejected);
            Ok(())
        }
    }
}

fn check(keyed: &'static Keyed, call: &mut Call<'_>) -> Result<(), Fault> {
    match bucket(keyed, call)?.check(call.args().u32("cost").unwrap_or(1), call.now()) {
        Ok(()) => admit(call.out()),
        Err(rejected) => refuse(call.out(), &rejected),
    }
    Ok(())
}

fn refund(keyed: &'static Keyed, call: &mut Call<'_>) -> Result<(), Fault> {
    let grant: Grant = call.take("grant", GRANT)?;
    let word = match keyed.refund(grant, call.now()) {
        Refund::Returned => "returned",
        Refund::Lapsed => "lapsed",
        Refund::Stale => "stale",
        _ => "other",
    };
    call.out().put("refund", word);
    Ok(())
}

fn is_shared(_: &'static Keyed, call: &mut Call<'_>) -> Result<(), Fault> {
    let shared = call.look::<Grant>("grant", GRANT)?.is_shared();
    call.out().put("shared", shared);
    Ok(())
}

fn status_fields(status: Status) -> Fields {
    let mut fields = Fields::default();
    fields.put("entry", status.entry);
    fields.put("available", status.available);
    fields
}

fn status(keyed: &'static Keyed, call: &mut Call<'_>) -> Result<(), Fault> {
    let status = bucket(keyed, call)?.status(call.now());
    call.out().put("known", status.is_some());
    if let Some(status) = status {
        call.out().extend(status_fields(status));
    }
    Ok(())
}

fn forget(keyed: &'static Keyed, call: &mut Call<'_>) -> Result<(), Fault> {
    let known = bucket(keyed, call)?.forget();
    call.out().put("known", known);
    Ok(())
}

fn hot(keyed: &'static Keyed, call: &mut Call<'_>) -> Result<(), Fault> {
    let hot: Vec<Fields> = keyed.hot(call.now()).map(status_fields).collect();
    call.out().put("hot", hot);
    Ok(())
}
