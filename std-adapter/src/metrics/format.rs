//! The two formats of text that Prometheus reads.

/// How metrics are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// Prometheus' own text format, version 0.0.4, which every tool reads.
    #[default]
    Text,
    /// `OpenMetrics` 1.0.0.
    OpenMetrics,
}

impl Format {
    /// The value of the `Content-Type` header.
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }

    /// The format that a value of the `Accept` header asks for.
    ///
    /// `OpenMetrics` if it is asked for by name and at least as welcome as text; else text, also to those who would rather
    /// have something else.
    pub fn negotiate(accept: &str) -> Self {
        let (mut text, mut open_metrics) = (0.0_f32, 0.0_f32);
        for range in accept.split(',') {
            let mut parts = range.split(';').map(str::trim);
            let media = parts.next().unwrap_or_default().to_ascii_lowercase();
            let (mut quality, mut version) = (1.0_f32, None);
            for (key, value) in parts.filter_map(|parameter| parameter.split_once('=')) {
                match key.trim().to_ascii_lowercase().as_str() {
                    "q" => quality = value.trim().parse().unwrap_or(0.0),
                    "version" => version = Some(value.trim().trim_matches('"')),
                    _ => {}
                }
            }
            match (media.as_str(), version) {
                ("application/openmetrics-text", None | Some("1.0.0")) => {
                    open_metrics = open_metrics.max(quality);
                }
                ("text/plain", None | Some("0.0.4")) | ("text/*" | "*/*", _) => text = text.max(quality),
                _ => {}
            }
        }
        if open_metrics > 0.0 && open_metrics >= text { Self::OpenMetrics } else { Self::Text }
    }

    /// Turns what the encoder wrote, `OpenMetrics` without its end, into this format.
    pub(super) fn finish(self, mut open_metrics: String) -> String {
        match self {
            Self::Text => to_text(&open_metrics),
            Self::OpenMetrics => {
                open_metrics.push_str("# EOF\n");
                open_metrics
            }
        }
    }
}

/// Rewrites `OpenMetrics` as text 0.0.4: the two differ in the names of families, in their types, and in whole numbers.
fn to_text(open_metrics: &str) -> String {
    let mut text = String::with_capacity(open_metrics.len() + open_metrics.len() / 16);
    let mut help = None;
    for line in open_metrics.lines() {
        if let Some(described) = line.strip_prefix("# HELP ") {
            // The name depends on the type, which stands in the next line.
            help = described.split_once(' ');
        } else if let Some((name, kind)) =
            line.strip_prefix("# TYPE ").and_then(|typed| typed.split_once(' '))
        {
            let (suffix, kind) = match kind {
                "counter" => ("_total", kind),
                "info" => ("_info", "gauge"),
                "unknown" => ("", "untyped"),
                _ => ("", kind),
            };
            if let Some((_, words)) = help.take() {
                text.extend(["# HELP ", name, suffix, " ", words, "\n"]);
            }
            text.extend(["# TYPE ", name, suffix, " ", kind, "\n"]);
        } else if !line.starts_with('#') {
            push_sample(&mut text, line);
        }
    }
    text
}

/// Boundaries are `1.0` there and `1` here.
fn push_sample(text: &mut String, line: &str) {
    match line.split_once("{le=\"") {
        Some((name, labels)) if !name.contains(['{', '"']) => {
            let (bound, rest) = labels.split_once('"').unwrap_or((labels, ""));
            let bound = bound.strip_suffix(".0").unwrap_or(bound);
            text.extend([name, "{le=\"", bound, "\"", rest, "\n"]);
        }
        _ => text.extend([line, "\n"]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn open_metrics_goes_to_those_who_ask_for_it() {
        let prometheus = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,\
                          application/openmetrics-text;version=0.0.1;q=0.5,\
                          text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,\
                          text/plain;version=0.0.4;q=0.3,*/*;q=0.2";
        assert_eq!(Format::negotiate(prometheus), Format::OpenMetrics);
        assert_eq!(Format::negotiate("Application/OpenMetrics-Text; version=\"1.0.0\""), Format::OpenMetrics);
        let others = [
            "",
            "*/*",
            "text/html,application/xhtml+xml,*/*;q=0.8",
            "application/openmetrics-text;version=0.0.1",
            "application/openmetrics-text;q=0",
            "application/openmetrics-text;q=0.4, text/plain;q=0.5",
            "application/openmetrics-text;q=much",
            "application/vnd.google.protobuf",
        ];
        for other in others {
            assert_eq!(Format::negotiate(other), Format::Text, "{other}");
        }
    }

    #[test]
    fn text_has_the_suffix_in_the_family_and_whole_boundaries() {
        let open_metrics = "# HELP a_seconds Some {le=\"1.0\"} help\n# TYPE a_seconds histogram\n\
                            # UNIT a_seconds seconds\n\
                            a_seconds_bucket{le=\"1.0\",name=\"x{le=\\\"1.0\\\"}\"} 3\n\
                            # HELP b Count\n# TYPE b counter\nb_total{name=\"q{le=\"} 4\n\
                            # HELP i Info\n# TYPE i info\ni_info{v=\"1\"} 1\n";
        let text = "# HELP a_seconds Some {le=\"1.0\"} help\n# TYPE a_seconds histogram\n\
                    a_seconds_bucket{le=\"1\",name=\"x{le=\\\"1.0\\\"}\"} 3\n\
                    # HELP b_total Count\n# TYPE b_total counter\nb_total{name=\"q{le=\"} 4\n\
                    # HELP i_info Info\n# TYPE i_info gauge\ni_info{v=\"1\"} 1\n";
        assert_eq!(Format::Text.finish(open_metrics.to_owned()), text);
        assert_eq!(Format::OpenMetrics.finish("x 1\n".to_owned()), "x 1\n# EOF\n");
    }
}
