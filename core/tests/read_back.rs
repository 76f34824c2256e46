//! What a configuration was told can be read from it, and from what was made of it.

use std::time::Duration;

use seawall_core::backoff::Jitter;
use seawall_core::guard::{Classify, ErrorsFail, Options, Report};
use seawall_core::rate_limiter::Quota;
use seawall_core::window::Span;
use seawall_core::{
    Backoff, Deadline, ErrorBudget, Features, Guard, Histogram, Instant, Outcome, Policy, Ratio, Rng,
    Timeout, adaptive_timeout, bulkhead, circuit_breaker, degradation::Level, error_budget, histogram, retry,
};

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

#[test]
fn a_policy_tells_its_parts() {
    let backoff = Backoff::exponential(ms(5)).at_most(ms(80)).jitter(Jitter::Equal);
    let (quota, slots) = (Quota::per_second(7), bulkhead::Config::new(3));
    let breaker = circuit_breaker::Config::consecutive_failures(4);
    let tries = retry::Config::attempts(3, backoff).budget(Ratio::percent(30), 6, 2);
    let budget = error_budget::Config::new(Ratio::percent(99), ms(5_000)).minimum_calls(9);
    let policy = Policy::new()
        .rate_limit(quota)
        .bulkhead(slots)
        .circuit_breaker(breaker)
        .retry(tries)
        .timeout(ms(40))
        .deadline(ms(900))
        .error_budget(budget)
        .seed(77);
    assert_eq!(policy.rate_limit_config(), Some(&quota));
    assert_eq!(policy.bulkhead_config(), Some(&slots));
    assert_eq!(policy.circuit_breaker_config(), Some(&breaker));
    assert_eq!(policy.retry_config(), &tries);
    assert_eq!(policy.timeout_config(), &Timeout::fixed(ms(40)));
    assert_eq!((policy.deadline_limit(), policy.jitter_seed()), (ms(900), Some(77)));
    assert_eq!(policy.error_budget_config(), Some(&budget));
    assert_eq!(policy.or_seed(5).jitter_seed(), Some(77), "a seed that is there stays");
    assert_eq!(Policy::default(), Policy::new());
    assert!(!policy.is_shadow() && policy.shadow(true).is_shadow());
    let learned = adaptive_timeout::Config::new(ms(70)).at_least(ms(9));
    assert_eq!(policy.adaptive_timeout_config(), None);
    assert_eq!(policy.adaptive_timeout(learned).adaptive_timeout_config(), Some(&learned));

    let guard: Guard = Guard::new(policy);
    assert_eq!((guard.timeout().limit(), guard.deadline()), (ms(40), ms(900)));
    assert_eq!(guard.limiter().map(seawall_core::RateLimiter::quota), Some(&quota));
    assert_eq!(guard.breaker().map(seawall_core::CircuitBreaker::config), Some(&breaker));
    assert_eq!(guard.retry().config(), &tries);
    assert_eq!(guard.error_budget().map(ErrorBudget::objective), Some(Ratio::percent(99)));
}

#[test]
fn configurations_tell_their_values() {
    let backoff = Backoff::exponential(ms(5)).at_most(ms(80)).jitter(Jitter::Equal);
    assert_eq!((backoff.base(), backoff.cap(), backoff.spread()), (ms(5), ms(80), Jitter::Equal));
    assert_eq!(backoff.starting_at(ms(9)).base(), ms(9));
    let tries = retry::Config::attempts(3, backoff).budget(Ratio::percent(30), 6, 2);
    assert_eq!((tries.max_attempts(), tries.backoff()), (3, &backoff));
    assert_eq!(tries.budget_parts(), (Ratio::percent(30), 6, 2));
    let other = tries.with_attempts(5, Backoff::constant(ms(1)));
    assert_eq!((other.max_attempts(), other.budget_parts()), (5, tries.budget_parts()));
    let throttle = tries.throttle(Ratio::percent(10), 8);
    assert_eq!((throttle.budget_parts(), throttle.is_throttle()), ((Ratio::percent(10), 8, 0), true));
    assert_eq!(throttle.budget(Ratio::percent(30), 6, 2), tries, "the last word holds");
    assert!(!tries.is_throttle());
    let budget = error_budget::Config::new(Ratio::percent(99), ms(5_000));
    assert_eq!((budget.objective(), budget.span()), (Ratio::percent(99), ms(5_000)));
    let slots = bulkhead::Config::new(3).max_wait(ms(4));
    assert_eq!(slots.try_with_permits(5), Ok(bulkhead::Config::new(5).max_wait(ms(4))));
    assert!(slots.try_with_permits(4_096).is_err());
    let time = Span::time(ms(70));
    assert_eq!((time.as_time(), time.as_calls()), (Some(ms(70)), None));
    assert_eq!((Span::calls(9).as_time(), Span::calls(9).as_calls()), (None, Some(9)));
}

#[test]
fn a_set_of_features_has_each_once() {
    let (search, orders) = (Features::of(0), Features::of(31));
    let both = search.with(orders);
    assert_eq!([both.with(search), both.with(both)], [both, both]);
    assert_eq!((both.bits(), both.without(search)), (0x8000_0001, orders));
    assert!(both.contains(search) && !search.contains(both));
}

#[test]
fn the_presets_are_those_of_the_original() {
    let retries = |policy: Policy| policy.retry_config().max_attempts() - 1;
    assert_eq!(Policy::dwcp_receive(), Policy::dwcp_send());
    assert_eq!([Policy::dwcp_send(), Policy::dwcp_sync(), Policy::dwcp_consensus()].map(retries), [3, 5, 5]);
    let timeouts = [Policy::dwcp_send(), Policy::dwcp_sync(), Policy::dwcp_consensus()]
        .map(|policy| policy.timeout_config().limit().as_secs());
    assert_eq!(timeouts, [30, 10, 10]);
    for policy in [Policy::dwcp_send(), Policy::dwcp_sync(), Policy::dwcp_consensus()] {
        assert!(Guard::<8, 10>::validate(&policy).is_ok());
    }
}

#[test]
fn reports_and_options_say_what_they_were_made_with() {
    let busy = Report::new(Outcome::Ignored).retry_after(ms(5));
    assert_eq!((busy.is_retryable(), busy.asked_delay(), busy.is_timed_out()), (true, Some(ms(5)), false));
    let late = Report::timed_out().not_retryable();
    assert_eq!((late.is_retryable(), late.asked_delay(), late.is_timed_out()), (false, None, true));
    assert_eq!(late.outcome(), Outcome::Failure);
    assert!(Report::from(&Err::<(), _>("reset")).is_retryable());
    assert_eq!(Classify::<(), &str>::timed_out(&ErrorsFail), Report::timed_out());
    assert_eq!(ErrorsFail.classify(&Err::<(), _>("reset")), Report::new(Outcome::Failure));

    let now = Instant::from_secs(1);
    assert_eq!(Options::default().deadline_from(now), Deadline::NONE);
    let forgiving = Options::new().deadline(ms(250)).classify(|_: &Result<(), &str>| late);
    assert_eq!(forgiving.deadline_from(now), Deadline::after(now, ms(250)));
    assert_eq!(forgiving.classifier().classify(&Ok(())), late);
}

#[test]
fn what_counts_shows_what_it_counted_when_debugged() {
    let histogram: Histogram<5, { histogram::buckets_for(5, 1_000) }> = Histogram::default();
    histogram.record(7);
    assert!(format!("{histogram:?} {:?}", histogram.snapshot()).contains("count: 1"));
    assert!(format!("{:?}", Rng::new(1)).starts_with("Rng"));
    assert_eq!(Level::ALL.map(Level::name).len(), 4);
}
