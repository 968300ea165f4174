// What reads the config.json of each class of architectures; `row` is the one that the file names.
// Free of torch.
#pragma once
#include "models/architectures/registry.h"
#include "models/config_fields.h"

namespace octet {

/// Of the Llama family; row.decoder says how its members differ.
ModelConfig parse_llama(const ConfigFields& fields, const Architecture& row);

/// Of MarianMTModel. What octet does not run is refused: separate embeddings of source and target,
/// sides of different widths.
ModelConfig parse_marian(const ConfigFields& fields, const Architecture& row);

/// Of ViTForImageClassification. Fields that transformers omits when they have their default value
/// get that default here as well; names of classes come from id2label, else there are num_labels of
/// them.
ModelConfig parse_vit(const ConfigFields& fields, const Architecture& row);

}  // namespace octet
