// Stores the Hidden of each unit of samples between two blocks: on the device, in host memory or on
// disk.
#pragma once
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "models/run/model.h"

namespace octet {

/// Bytes that the Hidden of all units may take in host memory and on the executor's device.
struct MemoryBudget {
  uint64_t host = 0, device = 0;
};

/// A quarter of the memory that is currently available: on the host, divided by `processes`, and on
/// `device` if it is a GPU.
MemoryBudget memory_budget(at::Device device, int processes = 1);

/// A unit gets its place with its first put() and keeps it: the device while the budget lasts, then
/// host memory (pinned where the device is a GPU), then disk. x and delta are kept as their sum,
/// which is what Executor::add_norm stores and norms: no bit changes. Tensors that blocks do not
/// change (encoder memory, rotary table, batch) are stored once per unit and not written again.
class HiddenStore {
 public:
  enum class Place { kDevice, kHost, kDisk };

  /// `folder` is made when a unit goes to disk.
  HiddenStore(std::filesystem::path folder, at::Device device, MemoryBudget budget)
      : folder_(std::move(folder)), device_(device), left_(budget) {}
  /// Takes over what an earlier process left on disk before `block`; false if it is incomplete.
  bool recover(int64_t unit, int block);
  /// Keeps what stands before `block`. `before` is what get() gave the block that made `hidden`:
  /// tensors that both share are not stored again.
  void put(int64_t unit, int block, const Hidden& hidden, const Hidden& before = {});
  /// Bit for bit what was put (summed), on the device.
  Hidden get(int64_t unit) const;
  /// The block before which the unit stands.
  int block(int64_t unit) const { return units_.at(unit).block; }
  Place place(int64_t unit) const { return units_.at(unit).place; }
  /// Removes files that were replaced by later ones. Until then, a killed run can resume before the
  /// earlier block.
  void remove_replaced();

 private:
  using Tensors = std::map<std::string, at::Tensor>;
  struct Slot {
    Place place = Place::kDisk;
    int block = 0;
    int rest_block = -1;   ///< of the file with `rest`, on disk; -1: there is none
    Tensors stream, rest;  ///< the sum, and all else; in memory
  };
  std::filesystem::path file(const char* part, int block, int64_t unit) const;
  Place choose_place(const Tensors& stream, const Tensors& rest);
  void keep(Place place, const Tensors& tensors, Tensors& kept) const;
  void write(int64_t unit, int block, const Tensors& stream, const Tensors* rest, Slot& slot);

  std::filesystem::path folder_;
  at::Device device_;
  MemoryBudget left_;
  std::map<int64_t, Slot> units_;
  std::vector<std::filesystem::path> replaced_;
};

}  // namespace octet
