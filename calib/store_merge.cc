#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "calib/store.h"
#include "core/error.h"
#include "core/json.h"

namespace octet {
namespace {

[[noreturn]] void refuse(const std::string& found, const std::string& expected,
                         const std::string& remedy) {
  throw Error(found, expected, remedy);
}

// The entries that differ, one level into nested objects: "data.seed (1, 2)".
std::string differences(const nlohmann::json& a, const nlohmann::json& b, const std::string& at) {
  std::string text;
  nlohmann::json keys = a;
  keys.update(b);
  for (const auto& item : keys.items()) {
    const auto& key = item.key();
    const nlohmann::json left = a.value(key, nlohmann::json());
    const nlohmann::json right = b.value(key, nlohmann::json());
    if (left == right) continue;
    const bool deeper = left.is_object() && right.is_object();
    if (!text.empty()) text += ", ";
    text += deeper ? differences(left, right, at + key + ".")
                   : fmt::format("{}{} ({}, {})", at, key, left.dump(), right.dump());
  }
  return text;
}

void check_alike(const CalibrationStore& a, const CalibrationStore& b, const std::string& names) {
  const std::string differ = differences(parse_json(a.provenance, "provenance"),
                                         parse_json(b.provenance, "provenance"), "");
  if (!differ.empty()) {
    refuse(fmt::format("{} of different runs: {}", names, differ),
           "shards of one run: the same model, data, options and device kind",
           "merge shards of one run only");
  }
  if (a.units_total != b.units_total || a.shards != b.shards) {
    refuse(fmt::format("{} of {} units in {} shards, and of {} in {}", names, a.units_total,
                       a.shards, b.units_total, b.shards),
           "shards of one run", "merge shards of one run only");
  }
}

void check_sites(const CalibrationStore& a, const CalibrationStore& b, const std::string& names) {
  for (const auto* one : {&a, &b}) {
    const auto* other = one == &a ? &b : &a;
    for (const auto& [site, statistics] : one->sites) {
      if (!other->sites.contains(site)) {
        refuse(fmt::format("site {} in one only of {}", site, names),
               "the same sites in all shards", "merge shards of one run only");
      }
    }
  }
}

std::string some(const std::vector<int64_t>& units) {
  const size_t shown = std::min<size_t>(units.size(), 8);
  std::string text = fmt::format("{}", fmt::join(units.begin(), units.begin() + shown, ", "));
  if (units.size() > shown) text += fmt::format(" and {} more", units.size() - shown);
  return text;
}

void check_units(const std::vector<int64_t>& units, int64_t total) {
  std::vector<int64_t> twice, missing;
  int64_t next = 0;
  for (size_t i = 0; i < units.size(); ++i) {
    if (i > 0 && units[i] == units[i - 1]) twice.push_back(units[i]);
    for (; next < units[i] && missing.size() < 1000; ++next) missing.push_back(next);
    next = std::max(next, units[i] + 1);
  }
  for (; next < total && missing.size() < 1000; ++next) missing.push_back(next);
  if (!twice.empty()) {
    refuse("units that occur twice: " + some(twice), "every unit once",
           "pass each shard once, all made with the same number of shards");
  }
  if (!missing.empty()) {
    refuse("missing units: " + some(missing), fmt::format("all {} units", total),
           "run octet calibrate for the missing shards and merge again");
  }
}

CalibrationStore merge_named(const std::vector<CalibrationStore>& shards,
                             const std::vector<std::string>& names) {
  if (shards.empty()) throw UsageError("no shards to merge", "at least one", "pass the stores");
  const CalibrationStore& first = shards.front();
  CalibrationStore merged;
  merged.provenance = parse_json(first.provenance, "provenance").dump();
  merged.units_total = first.units_total;
  for (size_t i = 0; i < shards.size(); ++i) {
    const std::string pair = fmt::format("{} and {}", names[0], names[i]);
    check_alike(first, shards[i], pair);
    check_sites(first, shards[i], pair);
    merged.units.insert(merged.units.end(), shards[i].units.begin(), shards[i].units.end());
  }
  std::sort(merged.units.begin(), merged.units.end());
  check_units(merged.units, merged.units_total);
  for (const auto& shard : shards) {
    for (const auto& [site, statistics] : shard.sites) merged.sites[site].merge(statistics, site);
  }
  return merged;
}

}  // namespace

CalibrationStore merge(const std::vector<CalibrationStore>& shards) {
  std::vector<std::string> names;
  for (const auto& shard : shards) {
    names.push_back(fmt::format("shard {}/{}", shard.shard, shard.shards));
  }
  return merge_named(shards, names);
}

CalibrationStore merge_files(const std::vector<std::filesystem::path>& paths) {
  std::vector<CalibrationStore> shards;
  std::vector<std::string> names;
  for (const auto& path : paths) {
    shards.push_back(load_calibration(path));
    names.push_back(path.string());
  }
  return merge_named(shards, names);
}

}  // namespace octet
