import Checkpoints
import Diagnostics
import Foundation
import TestSupport
import Testing

@Suite("Shapes in a safetensors header")
struct SafetensorsShapeTests {
  @Test(
    "whose product overflows are refused, wherever the zero stands",
    arguments: ["[1099511627776,1099511627776,0]", "[0,1099511627776,1099511627776]", "[-1,4]"])
  func overflow(shape: String) throws {
    let folder = try TemporaryFolder()
    let header = #"{"a":{"dtype":"F32","shape":\#(shape),"data_offsets":[0,0]}}"#
    var file = withUnsafeBytes(of: UInt64(header.utf8.count).littleEndian) { Data($0) }
    file += Data(header.utf8)
    let path = folder.file("a.safetensors")
    try file.write(to: URL(fileURLWithPath: path))
    #expect { try Checkpoint.open(path).stateDictionary() } throws: { ($0 as? Failure)?.status == .dataError }
  }
}
