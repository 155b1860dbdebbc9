// A file that was opened to be sent.
#pragma once

#include <memory>
#include <string>

#include "node/file_send.h"
#include "sealwire/sealwire.h"

struct sw_file {
    std::shared_ptr<sealwire::SourceFile> source;
    std::string name;
    uint64_t progress = 0;
};
