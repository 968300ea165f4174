// The calibration store: the statistics of a calibration in HDF5, in whole units, so that shards
// made on several machines merge to exactly the numbers of a single run. Schema:
// docs/calibration-store.md.
#pragma once
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "calib/site_statistics.h"

namespace octet {

struct CalibrationStore {
  /// A JSON object: octet's version, model identity, data identity, options, device kind; no dates
  /// and nothing of the shard, so that all shards of a run have the same.
  std::string provenance = "{}";
  int64_t units_total = 0;                      ///< units of the whole run
  std::vector<int64_t> units;                   ///< indices of the units seen, ascending
  int64_t shard = 0, shards = 1;                ///< this is shard `shard` of `shards`
  std::map<std::string, SiteStatistics> sites;  ///< by Site::name

  bool complete() const { return static_cast<int64_t>(units.size()) == units_total; }
  bool operator==(const CalibrationStore&) const = default;
};

/// Written beside `path` and renamed. Error when the store breaks its own rules (see load).
void save(const CalibrationStore& store, const std::filesystem::path& path);

/// Error unless the file is a calibration store of a known version whose every count, total,
/// maximum and shape agrees with the others.
CalibrationStore load_calibration(const std::filesystem::path& path);

/// One store of all units, the same to the bit for any order of `shards`. Error naming what differs
/// when provenance, units_total, number of shards, sites or channels are not the same throughout,
/// when a unit comes twice, and when one is missing.
CalibrationStore merge(const std::vector<CalibrationStore>& shards);

/// As merge, with the files' names in errors.
CalibrationStore merge_files(const std::vector<std::filesystem::path>& shards);

}  // namespace octet
