from octet import main

main()
