//! A bucket in exact arithmetic whose rate changes: in units of a nanosecond divided by the tokens of a period.

/// So many tokens a period of so many nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rate {
    pub(super) tokens: u32,
    pub(super) period: u64,
    pub(super) burst: u32,
}

impl Rate {
    /// Units of a full bucket; a token is as many as the period has nanoseconds.
    fn whole(self) -> i128 {
        i128::from(self.burst) * i128::from(self.period)
    }

    /// How many of these units the limiter counts as one.
    fn coarseness(self) -> i128 {
        let (mut a, mut b) = (self.period, u64::from(self.tokens));
        while b != 0 {
            (a, b) = (b, a % b);
        }
        a.into()
    }

    /// What comes in so many nanoseconds, in parts of a token, rounded up.
    pub(super) fn given(self, nanos: u64) -> i128 {
        i128::from(nanos) * i128::from(self.tokens) * super::TOKEN / i128::from(self.period) + 1
    }
}

/// Tokens that were taken, and when the bucket would have been full again.
#[derive(Clone, Copy)]
pub(super) struct Spent {
    units: i128,
    until: i128,
}

pub(super) struct Bucket {
    pub(super) rate: Rate,
    /// When it is full again.
    full_at: i128,
    /// Whether tokens came back from before reservations, or their order is lost.
    gap: bool,
}

impl Bucket {
    pub(super) fn new(rate: Rate) -> Self {
        Self { rate, full_at: 0, gap: false }
    }

    fn present(&self, now: u64) -> i128 {
        i128::from(now) * i128::from(self.rate.tokens)
    }

    pub(super) fn debt(&self, now: u64) -> i128 {
        (self.full_at - self.present(now)).max(0)
    }

    /// The units by which so many tokens are more than there are.
    fn lack(&self, cost: u32, now: u64) -> i128 {
        let units = i128::from(cost) * i128::from(self.rate.period);
        if cost == 0 { 0 } else { (self.debt(now) + units - self.rate.whole()).max(0) }
    }

    /// The nanoseconds until so many tokens are there.
    pub(super) fn wait(&self, cost: u32, now: u64) -> u128 {
        self.lack(cost, now).unsigned_abs().div_ceil(self.rate.tokens.into())
    }

    pub(super) fn available(&self, now: u64) -> u32 {
        let left = (self.rate.whole() - self.debt(now)).max(0);
        u32::try_from(left / i128::from(self.rate.period)).expect("at most a burst")
    }

    /// Takes tokens that are there after so many nanoseconds: the debt was not larger than that says.
    pub(super) fn take(&mut self, cost: u32, wait: u64, now: u64) -> Spent {
        let units = i128::from(cost) * i128::from(self.rate.period);
        if cost > 0 {
            let known = self.rate.whole() - units + i128::from(wait) * i128::from(self.rate.tokens);
            let debt = self.debt(now).min(known);
            self.gap &= debt > 0;
            self.full_at = self.present(now) + debt + units;
        }
        Spent { units, until: self.full_at }
    }

    /// There are fewer tokens than so many.
    pub(super) fn lacks(&mut self, cost: u32, now: u64) {
        if self.lack(cost, now) == 0 {
            let units = i128::from(cost) * i128::from(self.rate.period);
            self.full_at = self.present(now) + self.rate.whole() - units + 1;
        }
    }

    /// What comes back: no more than is still owed for it, and nothing that others reserved behind. Whether that is all.
    pub(super) fn refund(&mut self, spent: &Spent, now: u64) -> bool {
        let owed = (spent.until - self.present(now)).max(0);
        let debt = self.debt(now);
        let later = if debt > self.rate.whole() { (debt - owed).max(0) } else { 0 };
        let back = (spent.units.min(owed).min(debt) - later).max(0);
        if self.gap || back == 0 {
            return false;
        }
        self.full_at -= back;
        self.gap = later > 0;
        back == spent.units
    }

    /// All that was taken comes back, if so much is owed.
    pub(super) fn regain(&mut self, spent: &Spent, now: u64) {
        self.full_at -= spent.units.min(self.debt(now));
    }

    /// Keeps the tokens that are there or owed, less so many of the limiter's units, and no more than fit.
    pub(super) fn change(&mut self, rate: Rate, lost: i128, now: u64) {
        let left = self.rate.whole() - self.debt(now);
        // In units of the new rate, rounded up or down.
        let exact = left * i128::from(rate.period);
        let per = i128::from(self.rate.period);
        let kept = if lost == 0 { -(-exact).div_euclid(per) } else { exact.div_euclid(per) };
        let is_whole = left * i128::from(rate.period) >= rate.whole() * per;
        let lost = if is_whole { 0 } else { lost * rate.coarseness() };
        let owed = (rate.whole() - kept + lost).max(0);
        // What is owed beyond the reach of reservations is forgiven.
        let reach = i128::from(super::REACH) * i128::from(rate.tokens);
        let debt = owed.min(rate.whole() + reach);
        self.gap = (self.gap && debt > 0) || debt > rate.whole();
        self.rate = rate;
        self.full_at = self.present(now) + debt;
    }
}
