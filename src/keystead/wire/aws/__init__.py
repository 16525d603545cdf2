"""What AWS services speak: Signature Version 4, JSON 1.1 and the Query protocol."""
