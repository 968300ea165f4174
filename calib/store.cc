#include "calib/store.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "core/containers/hdf5.h"
#include "core/error.h"
#include "core/json.h"

namespace octet {
namespace {

constexpr const char* kFormat = "octet-calibration";
constexpr int64_t kVersion = 1;

[[noreturn]] void refuse(const std::string& found, const std::string& expected) {
  throw Error(found + " in a calibration store", expected, "run octet calibrate again");
}

void check_units(const CalibrationStore& store) {
  if (store.shards < 1 || store.shard < 0 || store.shard >= store.shards) {
    refuse(fmt::format("shard {} of {}", store.shard, store.shards), "0 <= shard < shards");
  }
  int64_t last = -1;
  for (const int64_t unit : store.units) {
    if (unit <= last || unit >= store.units_total) {
      refuse(fmt::format("unit {} after unit {}", unit, last),
             fmt::format("ascending units below {}", store.units_total));
    }
    last = unit;
  }
}

void check_site(const std::string& site, const SiteStatistics& statistics) {
  if (site.empty() || site == "." || site == ".." ||
      site.find_first_of(std::string("/\0", 2)) != std::string::npos) {
    refuse(fmt::format("site name '{}'", site), "a name without '/'");
  }
  const auto& channels = statistics.channel_absmax;
  float most = 0;
  for (const float value : channels) {
    if (!std::isfinite(value) || std::signbit(value)) {
      refuse(fmt::format("channel maximum {} of {}", value, site), "finite numbers, at least 0");
    }
    most = std::max(most, value);
  }
  int64_t values;
  if (__builtin_mul_overflow(statistics.token_count(), statistics.k(), &values) ||
      values != statistics.values.total() || (values == 0) != channels.empty()) {
    refuse(fmt::format("{} values of {} tokens with {} channels at {}", statistics.values.total(),
                       statistics.token_count(), channels.size(), site),
           "as many values as tokens times channels");
  }
  if (most != statistics.values.absmax() || most != statistics.tokens.absmax()) {
    refuse(fmt::format("maxima {}, {} and {} of values, tokens and channels of {}",
                       statistics.values.absmax(), statistics.tokens.absmax(), most, site),
           "the same maximum");
  }
  if (!std::isfinite(statistics.output_absmax) || std::signbit(statistics.output_absmax)) {
    refuse(fmt::format("output maximum {} of {}", statistics.output_absmax, site),
           "a finite number, at least 0");
  }
}

void check(const CalibrationStore& store) {
  if (!parse_json(store.provenance, "provenance").is_object()) {
    refuse("provenance that is not a JSON object", "an object");
  }
  check_units(store);
  for (const auto& [site, statistics] : store.sites) check_site(site, statistics);
}

void write_histogram(Hdf5Writer& file, const std::string& path, const Histogram& histogram) {
  file.dataset(path, histogram.counts(), {Histogram::kBins});
  file.attribute(path, "zeros", histogram.zeros());
  file.attribute(path, "total", histogram.total());
  file.attribute(path, "absmax", double{histogram.absmax()});
  file.attribute(path, "exponent", int64_t{histogram.exponent()});
  file.attribute(path, "bin_width", double{histogram.width()});
}

// A float32 that was stored as a float64 attribute.
float narrow(const Hdf5Reader& file, const std::string& object, const std::string& name) {
  const double value = file.real(object, name);
  if (!std::isfinite(value) || std::abs(value) > double{std::numeric_limits<float>::max()} ||
      double{static_cast<float>(value)} != value) {
    refuse(fmt::format("{} {} of {}", name, value, object), "a finite float32");
  }
  return static_cast<float>(value);
}

std::vector<int64_t> checked_integers(const Hdf5Reader& file, const std::string& path) {
  if (file.shape(path).size() != 1) refuse("the shape of " + path, "one dimension");
  return file.integers(path);
}

Histogram read_histogram(const Hdf5Reader& file, const std::string& path) {
  const Histogram made = Histogram::from_parts(
      narrow(file, path, "absmax"), file.integer(path, "zeros"), checked_integers(file, path));
  if (file.integer(path, "total") != made.total()) {
    refuse(fmt::format("total {} of {}", file.integer(path, "total"), path),
           fmt::format("the sum of its counts, {}", made.total()));
  }
  if (file.integer(path, "exponent") != made.exponent() ||
      file.real(path, "bin_width") != double{made.width()}) {
    refuse("the bin width of " + path, fmt::format("2^{} from its maximum", made.exponent() - 11));
  }
  return made;
}

SiteStatistics read_site(const Hdf5Reader& file, const std::string& group) {
  SiteStatistics made;
  made.values = read_histogram(file, group + "/values");
  made.tokens = read_histogram(file, group + "/tokens");
  if (file.shape(group + "/channel_absmax").size() != 1) {
    refuse("the shape of " + group + "/channel_absmax", "one dimension");
  }
  made.channel_absmax = file.floats(group + "/channel_absmax");
  made.output_absmax = narrow(file, group, "output_absmax");
  return made;
}

void check_header(const Hdf5Reader& file) {
  const std::string format = file.text("/", "format");
  if (format != kFormat) refuse("format '" + format + "'", kFormat);
  const int64_t version = file.integer("/", "version");
  if (version < 1 || version > kVersion) {
    throw Error(fmt::format("a calibration store of version {}", version),
                fmt::format("version {}", kVersion),
                version > kVersion ? "use a newer octet" : "run octet calibrate again");
  }
}

}  // namespace

void save(const CalibrationStore& store, const std::filesystem::path& path) {
  check(store);
  Hdf5Writer file(path);
  file.attribute("/", "format", std::string(kFormat));
  file.attribute("/", "version", kVersion);
  file.attribute("/", "provenance", store.provenance);
  file.attribute("/", "units_total", store.units_total);
  file.attribute("/", "shard", store.shard);
  file.attribute("/", "shards", store.shards);
  file.dataset("/units", store.units, {static_cast<int64_t>(store.units.size())});
  file.attribute("/sites", "count", static_cast<int64_t>(store.sites.size()));
  for (const auto& [site, statistics] : store.sites) {
    const std::string group = "/sites/" + site;
    write_histogram(file, group + "/values", statistics.values);
    write_histogram(file, group + "/tokens", statistics.tokens);
    file.dataset(group + "/channel_absmax", statistics.channel_absmax, {statistics.k()});
    file.attribute(group, "output_absmax", double{statistics.output_absmax});
  }
  file.commit();
}

CalibrationStore load_calibration(const std::filesystem::path& path) {
  try {
    const Hdf5Reader file(path);
    check_header(file);
    CalibrationStore store;
    store.provenance = file.text("/", "provenance");
    store.units_total = file.integer("/", "units_total");
    store.shard = file.integer("/", "shard");
    store.shards = file.integer("/", "shards");
    store.units = checked_integers(file, "/units");
    const auto sites = file.children("/sites");
    if (file.integer("/sites", "count") != static_cast<int64_t>(sites.size())) {
      refuse(fmt::format("{} sites", sites.size()),
             fmt::format("{}", file.integer("/sites", "count")));
    }
    for (const auto& site : sites) store.sites[site] = read_site(file, "/sites/" + site);
    check(store);
    return store;
  } catch (const Error& error) {
    throw Error(fmt::format("{} ({})", error.found(), path.string()), error.expected(),
                error.remedy());
  }
}

}  // namespace octet
