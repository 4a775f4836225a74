"""The demonstration data set: COCO-format scenes composed from photo cut-outs and photographs that Debian installs."""
