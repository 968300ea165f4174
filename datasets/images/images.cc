#include "datasets/images/images.h"

#include <fmt/format.h>

#include "core/error.h"
#include "datasets/images/image_sets.h"

namespace octet {

std::unique_ptr<ImageSet> open_images(const std::string& data, Split split) {
  const DataSpec spec = parse_data_spec(data);
  if (spec.kind != DataKind::kIdx && spec.kind != DataKind::kImages)
    refuse_kind(spec, "images: idx:IMAGES,LABELS, idx:DIR or images:DIR");
  const Split part = spec.split.value_or(split);
  auto set = spec.kind == DataKind::kIdx ? open_idx(spec, part) : open_folder(spec, part);
  if (set->size() == 0) {
    throw Error(fmt::format("no image ({}) in {} data ({})", split_name(part), kind_name(spec.kind),
                            spec.path),
                "at least one", "give more images or another split (@train, @valid, @test, @all)");
  }
  return set;
}

}  // namespace octet
