// TeacherService over gRPC: parses requests, frames answers, forwards to the server.
#ifndef TEACHER_SERVER_SERVICE_TEACHER_SERVICE_H_
#define TEACHER_SERVER_SERVICE_TEACHER_SERVICE_H_

#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/server_callback.h>

#include "proto/teacher.grpc.pb.h"
#include "teacher_server/service/label_server.h"

namespace distill {

// Thread-safe. `server` outlives it and every call: shut the RpcServer down first.
// Semantics: proto/teacher.proto.
class TeacherServiceImpl final
    : public v1::TeacherService::WithRawCallbackMethod_Label<v1::TeacherService::Service> {
 public:
  // Of one serialized LabelRequest; larger ones end the stream with RESOURCE_EXHAUSTED.
  static constexpr size_t kMaxRequestBytes = 4 << 20;

  explicit TeacherServiceImpl(LabelServer* server) : server_(server) {}

  grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>* Label(
      grpc::CallbackServerContext* context) override;

 private:
  LabelServer* const server_;
};

}  // namespace distill

#endif  // TEACHER_SERVER_SERVICE_TEACHER_SERVICE_H_
