import Foundation

/// The file beside an output that has its name and another extension: `samples.png` for `samples.h5`.
public func companion(of output: String, extension newExtension: String) -> String {
  (output as NSString).deletingPathExtension + "." + newExtension
}
