// Changed translations side by side, word by word.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "report/html/diff.h"
#include "report/html/parts.h"
#include "report/verdict.h"

namespace octet::html {
namespace {

constexpr size_t kShown = 6;   // at once; the rest can be opened
constexpr size_t kMost = 100;  // of one variant on the page

Markup sentence(const std::vector<DiffPart>& parts, const char* mark) {
  Markup out;
  for (const DiffPart& part : parts) {
    if (!part.changed) {
      out += text(part.text);
      continue;
    }
    std::string words = part.text;  // the space behind stays outside of the mark
    const size_t end = words.find_last_not_of(' ') + 1;
    out += element(mark, words.substr(0, end)) + text(words.substr(end));
  }
  return out;
}

Markup side(const std::string& label, const Markup& words) {
  return element("div", {{"class", "side"}},
                 element("dt", label) + element("dd", {{"dir", "auto"}}, words));
}

Markup example(const Page& page, const VariantResult& v, const OutputExample& e) {
  const WordDiff diff = word_diff(printable(e.reference), printable(e.output));
  const std::string original = page.report.reference.empty() ? "float" : page.report.reference;
  const auto scored = [](double score) {
    return std::isfinite(score) ? fmt::format(", sentence BLEU {:.1f}", score) : std::string();
  };
  Markup out = side("source", text(e.source));
  if (!e.target.empty()) out += side("reference translation", text(e.target));
  out += element("div", {{"class", "pair"}},
                 side(original + scored(e.reference_score), sentence(diff.before, "del")) +
                     side(v.name + scored(e.score), sentence(diff.after, "ins")));
  return element("li", element("dl", out));
}

// Those of the recommended variant are shown, the others can be opened.
Markup examples_of(const Page& page, const VariantResult& v, bool open) {
  Markup first, rest;
  const size_t count = std::min(v.examples.size(), kMost);
  for (size_t i = 0; i < count; ++i) {
    (i < kShown ? first : rest) += example(page, v, v.examples[i]);
  }
  Markup out = element("ol", {{"class", "examples"}}, first);
  if (count > kShown) {
    out += element(
        "details",
        element("summary", fmt::format("{} more", count - kShown)) +
            element("ol", {{"class", "examples"}, {"start", std::to_string(kShown + 1)}}, rest));
  }
  if (v.examples.size() > kMost) {
    out += element("p", fmt::format("{} more are in report.json.", v.examples.size() - kMost));
  }
  if (open) return element("h3", v.name) + out;
  return element(
      "details",
      element("summary", fmt::format("{}: {} sentences", v.name, v.examples.size())) + out);
}

}  // namespace

Markup examples_part(const Page& page) {
  if (page.report.task != TaskKind::kTranslation) return {};
  Markup out, others;
  const std::string recommended = verdict(page.report).recommended;
  for (const VariantResult& v : page.report.variants) {
    if (v.examples.empty()) continue;
    const bool open = v.name == recommended;
    (open ? out : others) += examples_of(page, v, open);
  }
  out += others;
  if (out.html.empty()) return {};
  return element("section", {{"aria-labelledby", "examples"}},
                 element("h2", {{"id", "examples"}}, "Sentences that changed most") +
                     element("p",
                             "Struck through: words of the reference variant that are gone; "
                             "underlined: words in their place.") +
                     out);
}

}  // namespace octet::html
