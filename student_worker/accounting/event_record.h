// One record of a TensorBoard event file, as bytes.
#ifndef STUDENT_WORKER_ACCOUNTING_EVENT_RECORD_H_
#define STUDENT_WORKER_ACCOUNTING_EVENT_RECORD_H_

#include <string>
#include <string_view>

#include "student_worker/accounting/tensorboard_event.pb.h"

namespace distill {

// The event in TFRecord framing, a file of which is nothing but one after another: u64 length,
// CRC of these 8 bytes, the message, CRC of the message. Numbers are little-endian, and a CRC is
// the CRC-32C, rotated right by 15 bits, plus 0xa282ead8 ("masked": a CRC over bytes that hold
// their own CRC would be weak). Layout: tensorflow/core/lib/io/record_writer.h.
std::string EventRecord(const tensorboard::Event& event);

// Takes the first record off `bytes`. False, and nothing is taken, where there is no whole and
// sound one: at the end, or behind what a killed process left.
bool TakeEventRecord(std::string_view& bytes, tensorboard::Event& event);

}  // namespace distill

#endif  // STUDENT_WORKER_ACCOUNTING_EVENT_RECORD_H_
