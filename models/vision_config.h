// config.json of vision models.
#pragma once
#include "models/config_fields.h"

namespace octet {

/// Of ViTForImageClassification. Fields that transformers leaves out when they have their default
/// have it here, too; names of classes come from id2label, else there are num_labels of them.
ModelConfig parse_vit(const ConfigFields& fields);

}  // namespace octet
