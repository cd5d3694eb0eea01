//! What the head of a picture says of it: its format and its size. Nothing is decoded.

/// The widest and the highest picture: a small file can claim a size that takes a browser's memory.
pub const MAX_SIDE: u32 = 4_096;

/// The media type of a PNG, JPEG or WebP picture with 1 to [`MAX_SIDE`] pixels each way; `None` is anything else. Whatever
/// a browser could run is none.
pub fn kind_of(picture: &[u8]) -> Option<&'static str> {
    let (kind, (width, height)) = match picture {
        [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n', rest @ ..] => ("image/png", png(rest)?),
        [0xff, 0xd8, rest @ ..] => ("image/jpeg", jpeg(rest)?),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', rest @ ..] => {
            ("image/webp", webp(rest)?)
        }
        _ => return None,
    };
    let is_sane = |side: u32| (1..=MAX_SIDE).contains(&side);
    (is_sane(width) && is_sane(height)).then_some(kind)
}

/// Its first chunk is IHDR, of 13 bytes.
fn png(rest: &[u8]) -> Option<(u32, u32)> {
    let fields = rest.strip_prefix(b"\0\0\0\rIHDR")?;
    let side = |at: usize| Some(u32::from_be_bytes(fields.get(at..at + 4)?.try_into().ok()?));
    // With the five bytes that say how it is coded, and the checksum.
    if fields.len() < 17 { None } else { Some((side(0)?, side(4)?)) }
}

/// One segment after another, up to the one that begins a frame (SOF).
fn jpeg(mut rest: &[u8]) -> Option<(u32, u32)> {
    loop {
        let [0xff, marker, after @ ..] = rest else { return None };
        if *marker == 0xff {
            // A byte that fills up.
            rest = &rest[1..];
            continue;
        }
        let length = usize::from(u16::from_be_bytes(after.get(..2)?.try_into().ok()?));
        let segment = after.get(2..length)?;
        match marker {
            // DHT, JPG and DAC lie between the frames' markers.
            0xc4 | 0xc8 | 0xcc => {}
            0xc0..=0xcf => {
                let side = |at: usize| Some(u16::from_be_bytes(segment.get(at..at + 2)?.try_into().ok()?));
                return Some((side(3)?.into(), side(1)?.into()));
            }
            // What has no length, or belongs behind a frame.
            0x00..=0x01 | 0xd0..=0xda => return None,
            _ => {}
        }
        rest = &after[length..];
    }
}

/// Its first chunk says which of the three codings it is (RFC 9649).
fn webp(rest: &[u8]) -> Option<(u32, u32)> {
    let (coding, data) = (rest.get(..4)?, rest.get(8..18)?);
    let two = |at: usize| u32::from(u16::from_le_bytes([data[at], data[at + 1]]));
    let three = |at: usize| two(at) | u32::from(data[at + 2]) << 16;
    match coding {
        // Behind a tag of three bytes and a start code.
        b"VP8 " if data[3..6] == [0x9d, 0x01, 0x2a] => Some((two(6) & 0x3fff, two(8) & 0x3fff)),
        b"VP8L" if data[0] == 0x2f => {
            let bits = u32::from_le_bytes([data[1], data[2], data[3], data[4]]);
            Some(((bits & 0x3fff) + 1, (bits >> 14 & 0x3fff) + 1))
        }
        b"VP8X" => Some((three(4) + 1, three(7) + 1)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn png_of(width: u32, height: u32) -> Vec<u8> {
        let head = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".as_slice();
        [head, &width.to_be_bytes(), &height.to_be_bytes(), &[8, 6, 0, 0, 0, 1, 2, 3, 4]].concat()
    }

    fn jpeg_of(width: u16, height: u16) -> Vec<u8> {
        let start = b"\xff\xd8\xff\xe0\x00\x04ab\xff\xff\xc4\x00\x03t\xff\xc2\x00\x0b\x08".as_slice();
        [start, &height.to_be_bytes(), &width.to_be_bytes(), &[1, 1, 0x11, 0]].concat()
    }

    fn webp_of(coding: &[u8], data: &[u8]) -> Vec<u8> {
        [b"RIFF\0\0\0\0WEBP", coding, &[10, 0, 0, 0], data].concat()
    }

    #[test]
    fn a_picture_is_known_by_its_head_and_what_can_hold_a_script_is_none() {
        let lossy = |low: u8, high: u8| webp_of(b"VP8 ", &[0, 0, 0, 0x9d, 1, 0x2a, low, high, 16, 0]);
        let many = |high: u8| webp_of(b"VP8X", &[0, 0, 0, 0, 255, high, 0, 31, 0, 0]);
        for (bytes, kind) in [
            (png_of(96, 32), Some("image/png")),
            (png_of(4_096, 1), Some("image/png")),
            (png_of(4_097, 1), None),
            (png_of(0, 32), None),
            (png_of(32, u32::MAX), None),
            (b"\x89PNG\r\n\x1a\nnonsense, and more of it than a head has".to_vec(), None),
            (jpeg_of(96, 32), Some("image/jpeg")),
            (jpeg_of(96, 0), None),
            (jpeg_of(5_000, 32), None),
            (b"\xff\xd8\xff\xe0nonsense".to_vec(), None),
            (b"\xff\xd8\xff\xda\x00\x04ab".to_vec(), None),
            (lossy(64, 0), Some("image/webp")),
            (lossy(0, 0), None),
            (lossy(0, 0x20), None),
            (webp_of(b"VP8L", &[0x2f, 0xff, 0xc0, 0x0f, 0, 0, 0, 0, 0, 0]), Some("image/webp")),
            (webp_of(b"VP8L", &[0, 0xff, 0xc0, 0x0f, 0, 0, 0, 0, 0, 0]), None),
            (many(15), Some("image/webp")),
            (many(16), None),
            (webp_of(b"VP9 ", &[1; 10]), None),
            (b"RIFF\0\0\0\0WAVE".to_vec(), None),
            (b"<svg xmlns=\"http://www.w3.org/2000/svg\">".to_vec(), None),
            (b"<html>".to_vec(), None),
            (b"GIF89a".to_vec(), None),
            (Vec::new(), None),
        ] {
            assert_eq!(kind_of(&bytes), kind, "{bytes:?}");
        }
    }

    #[test]
    fn what_is_cut_short_is_none() {
        for whole in [png_of(96, 32), webp_of(b"VP8X", &[0, 0, 0, 0, 9, 0, 0, 9, 0, 0]), jpeg_of(96, 32)] {
            assert!(kind_of(&whole).is_some());
            for end in 0..whole.len() {
                assert_eq!(kind_of(&whole[..end]), None, "{end} of {whole:?}");
            }
        }
    }
}
