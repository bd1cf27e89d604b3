import JobFolder
import Diagnostics
import Files
import Foundation

extension SpoolClient {
  /// Hands over what a job's step said.
  /// - Parameters:
  ///   - text: the job.
  ///   - step: the step; nil for the one at work, the one that failed, or the last one.
  ///   - follow: whether to go on while the job waits or is being run.
  ///   - put: takes the text.
  /// - Throws: a `Failure` where there is no such job or log.
  public func log(_ text: String, step: String?, follow: Bool, put: (Data) throws -> Void) throws {
    var id = try job(text).id
    var offset = 0
    var shown: String?
    while true {
      guard let job = try find(id.description) else {
        usleep(50_000)
        id = try self.job(id.description).id
        continue
      }
      let status = job.status
      let name = step ?? status?.step ?? status?.finishedSteps.last
      guard let name else {
        guard follow, !job.state.isFinal else {
          throw Failure(.noInput, job.id.description, "no step was started yet", remedy: status?.reason)
        }
        usleep(200_000)
        continue
      }
      if name != shown {
        if shown != nil { try put(Data("== \(name)\n".utf8)) }
        (shown, offset) = (name, 0)
      }
      let path = "\(job.folder)/\(JobFolderNames.log)/\(name).log"
      let descriptor = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)
      if descriptor >= 0 {
        defer { close(descriptor) }
        var block = [UInt8](repeating: 0, count: 1 << 16)
        while true {
          let count = pread(descriptor, &block, block.count, off_t(offset))
          if count < 0 && errno == EINTR { continue }
          guard count >= 0 else { throw Failure.system(path, "read") }
          if count == 0 { break }
          try put(Data(block.prefix(count)))
          offset += count
        }
      } else if errno != ENOENT {
        throw Failure.system(path, "open")
      } else if !follow {
        throw Failure(.noInput, path, "there is no such log", remedy: "sidctl status \(job.id) names the steps")
      }
      guard follow, !job.state.isFinal else { return }
      usleep(200_000)
    }
  }
}
