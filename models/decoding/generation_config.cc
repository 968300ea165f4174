#include "models/decoding/generation_config.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/json.h"
#include "models/source_model.h"

namespace octet {
namespace {

using nlohmann::json;

class Settings {
 public:
  Settings(const json& generation, const json& config, std::string what)
      : sources_{&generation, &config}, what_(std::move(what)) {}

  json get(const char* name) const {
    for (const json* source : sources_) {
      if (source->is_object() && source->contains(name) && !(*source)[name].is_null()) {
        return (*source)[name];
      }
    }
    return nullptr;
  }

  std::optional<int64_t> integer(const char* name, int64_t least, int64_t most) const {
    json value = get(name);
    if (value.is_array() && value.size() == 1) value = json(value[0]);
    if (value.is_null()) return std::nullopt;
    if (!value.is_number_integer() || value.get<int64_t>() < least || value.get<int64_t>() > most) {
      fail(name, value, fmt::format("an integer in {}..{}", least, most));
    }
    return value.get<int64_t>();
  }

  double number(const char* name, double otherwise) const {
    const json value = get(name);
    if (value.is_null()) return otherwise;
    if (!value.is_number() || !std::isfinite(value.get<double>())) fail(name, value, "a number");
    return value.get<double>();
  }

  bool flag(const char* name) const {
    const json value = get(name);
    if (value.is_null()) return false;
    if (!value.is_boolean()) fail(name, value, "true or false");
    return value.get<bool>();
  }

  [[noreturn]] void fail(const char* name, const json& found, const std::string& expected) const {
    throw Error(fmt::format("{} = {} in {}", name, found.dump(), what_), expected,
                "correct the file or fetch it again");
  }

 private:
  const json* sources_[2];
  std::string what_;
};

constexpr int64_t kLargestId = int64_t{1} << 31;

// bad_words_ids: lists of one id each; longer ones are refused.
std::vector<int64_t> forbidden_ids(const Settings& settings) {
  const json words = settings.get("bad_words_ids");
  std::vector<int64_t> ids;
  if (words.is_null()) return ids;
  const auto refuse = [&] { settings.fail("bad_words_ids", words, "a list of lists of one id"); };
  if (!words.is_array()) refuse();
  for (const json& word : words) {
    if (!word.is_array() || word.size() != 1 || !word[0].is_number_unsigned() ||
        word[0].get<int64_t>() > kLargestId) {
      refuse();
    }
    ids.push_back(word[0].get<int64_t>());
  }
  return ids;
}

}  // namespace

GenerationConfig parse_generation(const json& generation, const json& config,
                                  const std::string& what) {
  const Settings settings(generation, config, what);
  GenerationConfig g;
  const auto id = [&](const char* name) { return settings.integer(name, 0, kLargestId); };
  const auto start = id("decoder_start_token_id"), eos = id("eos_token_id");
  if (!start) settings.fail("decoder_start_token_id", nullptr, "the id that begins an output");
  if (!eos) settings.fail("eos_token_id", nullptr, "the id that ends an output");
  g.start = *start;
  g.eos = *eos;
  g.beams = settings.integer("num_beams", 1, 64).value_or(1);
  g.length_penalty = settings.number("length_penalty", 1);
  g.early_stopping = settings.flag("early_stopping");
  g.renormalize = settings.flag("renormalize_logits");
  const int64_t positions = settings.integer("max_position_embeddings", 2, 1 << 20).value_or(512);
  g.max_length = std::min(settings.integer("max_length", 2, 1 << 20).value_or(512), positions);
  g.forced_eos = id("forced_eos_token_id");
  g.forbidden = forbidden_ids(settings);
  return g;
}

GenerationConfig read_generation(const SourceModel& model) {
  const auto path = model.path() / "generation_config.json";
  const json generation = std::filesystem::exists(path) ? read_json(path.string()) : json::object();
  return parse_generation(generation, model.config_json(), path.string() + " and config.json");
}

}  // namespace octet
