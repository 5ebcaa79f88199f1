// The least that a static program can cost: what a skipped beat is measured against.
int main() { return 0; }
